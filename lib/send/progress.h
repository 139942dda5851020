/*
 * A progress line for a person who waits: on standard error, once a second,
 * if that is a terminal and standard output is not.
 */
#ifndef INCR_PROGRESS_H
#define INCR_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;         /* there is a terminal to show it on */
	int64_t next_ms; /* clock_ms() of the next one */
	int64_t at_ms;   /* clock_ms() of the last one */
	uint64_t done;   /* lines then */
};

void progress_open(struct progress *p);

/* Shows the line if it is due: `taken` lines were read, `done` of them have
 * been answered.  Returns when it is due again, IO_FOREVER without a
 * terminal. */
int64_t progress_tick(
    struct progress *p, int64_t now_ms, uint64_t taken, uint64_t done);

/* Takes the line away. */
void progress_close(struct progress *p);

#endif
