/*
 * An input without checkpoints gets a consumer and batch numbers of our own
 * (layer 2), so that repeating its statements is as safe.  Pure but for the
 * id, which is made.
 */
#ifndef INCR_WINDOW_PLAIN_H
#define INCR_WINDOW_PLAIN_H

#include <stdint.h>

#include "flush/window.h"
#include "record/id.h"

struct window_plain {
	struct id consumer;
	uint64_t next;
	int64_t committed_ms; /* clock_ms() of the last, 0 */
};

void window_plain_init(struct window_plain *p);

/* Gives w (plain, not empty) its name: one batch. */
void window_plain_name(
    struct window_plain *p, struct window *w, int64_t now_ms);

#endif
