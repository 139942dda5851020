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
struct relay_verdict {
	uint32_t number; /* of relay_add */
	enum fault fault;
	const char *text; /* FAULT_NONE: the increment, canonical */
	size_t len;
};

struct relay_options {
	bool tagged;
	uint64_t max_lines; /* without verdict */
	int64_t verdict_ms; /* to wait for one */
	/* Called for each line, its owner's pending counted down. */
	void (*told)(struct exchange *x, const struct relay_verdict *v);
};

/* Descriptors 0 and 1 from now on.  0, or -1 with *ret_why. */
int relay_open(const struct relay_options *o, const char **ret_why);

/*
 * Writes a body as line number (from 1) of x, behind its tag if tagged.  Its
 * verdict, or the lack of one, is told x, whose pending it counts: in the
 * order of the lines, but that lines taken back come before those that have
 * no verdict yet.  0, or -1: not taken, not a byte of it will be written.
 */
int relay_add(
    struct exchange *x, uint32_t number, const char *body, size_t len);

/* Does a line with a tag get it? */
bool relay_tagged(void);

/* Would relay_add refuse now? */
bool relay_full(void);

/* Will it refuse for ever? */
bool relay_closed(void);

/* Does so much wait for the pipe that who is not in a hurry should wait? */
bool relay_crowded(void);

/*
 * Do verdicts arrive?  True if the oldest line without one is younger than a
 * second, and no verdict of the last second said that Redis is away.  A
 * second after that it is true again, so that a real request can find
 * out: no increment is made up for it.
 */
bool relay_fresh(int64_t now_ms);

/* Lines without verdict. */
uint64_t relay_count(void);

/* Writes what goes without blocking. */
void relay_write(void);

/* Answers what has waited too long.  When it is due again. */
int64_t relay_tick(int64_t now_ms);

/* Ends the output, which tells those behind it to drain; lines of which
 * nothing was written are answered as not counted. */
void relay_close_output(void);
/* Nothing waits to be written. */
bool relay_written(void);

/* Answers all lines without verdict; nothing is written or read any more. */
void relay_give_up(void);

enum relay_state {
	RELAY_RUNNING,
	RELAY_UNREAD,  /* nobody reads the lines; verdicts may still come */
	RELAY_ENDED,   /* the verdicts ended */
	RELAY_FAILED,  /* they can't be read, or a line not be proved */
	RELAY_CONFUSED /* one was not the one awaited */
};

enum relay_state relay_state(void);
/* Why it is not running: "object: reason", constant or strerror's. */
const char *relay_why(void);

#endif
