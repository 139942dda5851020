/*
 * How far it is, for somebody who waits (layer 1): one line on standard
 * error, once a second, if that is a terminal and standard output is not.
 */
#ifndef INCR_PROGRESS_H
#define INCR_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;
	int64_t next_ms;
	int64_t at_ms; /* when done was last */
	uint64_t done;
};

void progress_open(struct progress *p);

/* taken lines have come in, done of them are done.  When it is due again,
 * IO_FOREVER if nobody looks. */
int64_t progress_tick(
    struct progress *p, int64_t now_ms, uint64_t taken, uint64_t done);

/* Takes the line away. */
void progress_close(struct progress *p);

#endif
