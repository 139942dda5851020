/*
 * Lines without a verdict, in the order in which the verdicts will come.
 *
 *	sent: at least a byte is in the pipe     held: not a byte is
 *	answered      expired          begun          first       added
 *	   | given up    | awaited        |              |  waiting  |
 *
 * Each line that was written, also in part, gets exactly one verdict, in
 * order, whether its owner still waits or not: its place is kept.  A line of
 * which no byte was written can be withdrawn and was certainly not counted.
 */
#ifndef INCR_INFLIGHT_H
#define INCR_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct inflight_line {
	void *owner; /* NULL: has been answered already */
	int64_t at_ms;
	uint32_t len;    /* bytes, newline included */
	uint32_t number; /* among the lines of its owner; the owner's */
};

/* Counters run on and are taken modulo the capacity. */
struct inflight {
	struct inflight_line *sent, *held;
	uint64_t cap, max_bytes;
	uint64_t answered;     /* sent lines that had their verdict */
	uint64_t expired;      /* sent lines up to here were given up */
	uint64_t begun;        /* end of the sent lines */
	uint64_t first, added; /* the held lines */
	struct buf out;        /* bytes not written */
	size_t rest;           /* how many of them belong to a sent line */
	bool tagged;
};

/* At most max_lines without verdict, at most max_bytes (and a line) not
 * written.  0, or -1 if there is no memory. */
int inflight_open(
    struct inflight *r, uint64_t max_lines, uint64_t max_bytes, bool tagged);
void inflight_close(struct inflight *r);

struct inflight_text {
	const char *tag, *body;
	size_t tag_len, len;
};

/*
 * Adds a body as one line of owner, CR and LF as spaces; if tagged, behind
 * its tag and a TAB.  0, or -1 if it is full or there is no memory.
 */
int inflight_add(struct inflight *r, void *owner, uint32_t number,
    const struct inflight_text *text, int64_t now_ms);

/* Writes to fd what goes without blocking.  0, or -1 with errno. */
int inflight_write(struct inflight *r, int fd);

/*
 * The verdict of the next line has come.  *ret_line (owner NULL: no longer
 * waiting) and its number among all, from 1.  -1 if none was awaited.
 */
int inflight_verdict(
    struct inflight *r, struct inflight_line *ret_line, uint64_t *ret_number);

enum inflight_expired {
	INFLIGHT_NONE,
	INFLIGHT_UNKNOWN,  /* written, no verdict so far; its place is kept
			    */
	INFLIGHT_WITHDRAWN /* no byte of it was written, nor will be */
};

/* Gives up one line added at or before then_ms, oldest first; the caller
 * gives its owner the verdict.  Called until INFLIGHT_NONE. */
enum inflight_expired inflight_expire(
    struct inflight *r, int64_t then_ms, struct inflight_line *ret_line);

/* Takes back the oldest line of which no byte was written; the
 * caller tells its owner that it was not counted.  False if there is none. */
bool inflight_withdraw(struct inflight *r, struct inflight_line *ret_line);

/* When the next line to be given up was added, IO_FOREVER if none. */
int64_t inflight_next(const struct inflight *r);

/* When the oldest line without verdict was added, IO_FOREVER if none. */
int64_t inflight_oldest(const struct inflight *r);

/* Would inflight_add fail now? */
bool inflight_full(const struct inflight *r);

/* Lines without verdict. */
uint64_t inflight_count(const struct inflight *r);

#endif
