/*
 * The program behind incr-serve (incr-publish): requests go out as lines, and
 * their verdicts come back as lines, in the same order.
 */
#ifndef INCR_BACKEND_H
#define INCR_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lines.h"
#include "base/reason.h"
#include "http/exchange.h"
#include "net/loop.h"
#include "record/fault.h"
#include "serve/inflight.h"

/* The outcome of a line.  Borrowed for the call. */
struct backend_verdict {
	uint32_t number; /* of backend_add */
	enum fault fault;
	const char *text; /* FAULT_NONE: the increment, canonical */
	size_t len;
};

struct backend_options {
	int in_fd, out_fd;  /* of verdicts, of lines */
	bool tagged;        /* lines begin with a tag and a TAB */
	uint64_t max_lines; /* without verdict */
	int64_t verdict_ms; /* to wait for one */
	/* Called once for each line, x->pending counted down. */
	void (*verdict)(
	    void *service, struct exchange *x, const struct backend_verdict *v);
	void *service;
};

enum backend_state {
	BACKEND_RUNNING,
	BACKEND_UNREAD,  /* nobody reads the lines; verdicts may still come */
	BACKEND_ENDED,   /* end of the verdicts */
	BACKEND_FAILED,  /* verdicts can't be read, or lines not be proved */
	BACKEND_CONFUSED /* a verdict was out of order */
};

/* All zero before backend_open(); the members are backend's own. */
struct backend {
	enum backend_state state; /* only to a worse one */
	bool seen;                /* the state, by backend_state() */
	char why[REASON_MAX];
	bool tagged;
	int64_t verdict_ms;
	void (*verdict)(
	    void *service, struct exchange *x, const struct backend_verdict *v);
	void *service;
	int64_t refused_ms; /* of the last unavailable or unknown, or 0 */
	bool out_closed;
	struct inflight inflight;
	struct lines verdicts;
	const struct loop *loop;
	struct loop_fd in, out;
};

/* Uses both descriptors from now on, borrows loop for ever.  0, or -1 with
 * *ret_why, valid as long as b. */
int backend_open(struct backend *b, const struct backend_options *o,
    const struct loop *loop, const char **ret_why);

/* Frees the memory; descriptors stay open. */
void backend_close(struct backend *b);

/*
 * Takes a body as line number (from 1) of x, behind its tag if tagged, and
 * counts it in x->pending until options.verdict is called for it: in the order
 * of the lines, but that lines taken back come before those that have no
 * verdict yet.  It has its time for a verdict from now_ms on.  0, or -1: not
 * taken, not a byte of it will be written.
 */
int backend_add(struct backend *b, struct exchange *x, uint32_t number,
    const char *body, size_t len, int64_t now_ms);

/* Does a line with a tag get it? */
bool backend_tagged(const struct backend *b);

/* Would backend_add refuse now? */
bool backend_full(const struct backend *b);

/* Why backend_add refused, or would: a constant. */
const char *backend_why_full(const struct backend *b);

/* Will it refuse for ever? */
bool backend_closed(const struct backend *b);

/* Do so many bytes wait for the pipe that bulk requests should wait? */
bool backend_crowded(const struct backend *b);

/*
 * Do verdicts arrive?  True if the oldest line without one is younger than a
 * second, and no verdict of the last second said that Redis is away.  A
 * second after that it is true again, so that a real request can find
 * out: no increment is made up for it.
 */
bool backend_fresh(const struct backend *b, int64_t now_ms);

/* Why backend_fresh() says no. */
void backend_why_stale(
    const struct backend *b, int64_t now_ms, char ret_why[REASON_MAX]);

/* Lines without verdict. */
uint64_t backend_count(const struct backend *b);

/* Writes what goes without blocking. */
void backend_write(struct backend *b);

/* Gives up lines that have waited too long.  When it is due again. */
int64_t backend_tick(struct backend *b, int64_t now_ms);

/* Ends the output, which tells the programs behind it to drain; lines of which
 * nothing was written get the verdict unavailable. */
void backend_close_output(struct backend *b);

/* Does nothing wait to be written? */
bool backend_written(const struct backend *b);

/* Gives all lines without verdict up; nothing is written or read any more. */
void backend_give_up(struct backend *b);

enum backend_state backend_state(struct backend *b);

/* Why it is not running: "object: reason", valid as long as b. */
const char *backend_why(const struct backend *b);

#endif
