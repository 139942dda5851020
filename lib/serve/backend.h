/*
 * Requests as lines on standard output, verdicts on standard input as their
 * answers (layer 3).  Its own are the ring of lines and both descriptors.
 */
#ifndef INCR_BACKEND_H
#define INCR_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/conn.h"

/* What has become of a line.  Borrowed for the call. */
struct backend_verdict {
	uint32_t number; /* of backend_add */
	enum fault fault;
	const char *text; /* FAULT_NONE: the increment, canonical */
	size_t len;
};

struct backend_options {
	bool tagged;
	uint64_t max_lines; /* without verdict */
	int64_t verdict_ms; /* to wait for one */
	/* Called for each line, its owner's pending counted down. */
	void (*told)(struct exchange *x, const struct backend_verdict *v);
};

/* Descriptors 0 and 1 from now on.  0, or -1 with *ret_why. */
int backend_open(const struct backend_options *o, const char **ret_why);

/*
 * Writes a body as line number (from 1) of x, behind its tag if tagged.  Its
 * verdict, or the lack of one, is told x, whose pending it counts: in the
 * order of the lines, but that lines taken back come before those that have
 * no verdict yet.  0, or -1: not taken, not a byte of it will be written.
 */
int backend_add(
    struct exchange *x, uint32_t number, const char *body, size_t len);

/* Does a line with a tag get it? */
bool backend_tagged(void);

/* Would backend_add refuse now? */
bool backend_full(void);

/* Will it refuse for ever? */
bool backend_closed(void);

/* Does so much wait for the pipe that who is not in a hurry should wait? */
bool backend_crowded(void);

/*
 * Do verdicts arrive?  True if the oldest line without one is younger than a
 * second, and no verdict of the last second said that Redis is away.  A
 * second after that it is true again, so that a real request can find
 * out: no increment is made up for it.
 */
bool backend_fresh(int64_t now_ms);

/* Lines without verdict. */
uint64_t backend_count(void);

/* Writes what goes without blocking. */
void backend_write(void);

/* Answers what has waited too long.  When it is due again. */
int64_t backend_tick(int64_t now_ms);

/* Ends the output, which tells those behind it to drain; lines of which
 * nothing was written are answered as not counted. */
void backend_close_output(void);
/* Nothing waits to be written. */
bool backend_written(void);

/* Answers all lines without verdict; nothing is written or read any more. */
void backend_give_up(void);

enum backend_state {
	BACKEND_RUNNING,
	BACKEND_UNREAD,  /* nobody reads the lines; verdicts may still come */
	BACKEND_ENDED,   /* the verdicts ended */
	BACKEND_FAILED,  /* they can't be read, or a line not be proved */
	BACKEND_CONFUSED /* one was not the one awaited */
};

enum backend_state backend_state(void);
/* Why it is not running: "object: reason", constant or strerror's. */
const char *backend_why(void);

#endif
