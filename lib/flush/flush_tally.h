/*
 * What was counted so far, and what the last statement was like; for the
 * metrics.  Pure.
 */
#ifndef INCR_FLUSH_TALLY_H
#define INCR_FLUSH_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flush/window.h"

struct flush_tally {
	uint64_t flushed;     /* increments */
	uint64_t replayed;    /* batches that were in the table before */
	uint64_t commits;     /* windows, and of the last one: */
	int64_t took_us;      /* its statement */
	size_t keys;          /* in that */
	int64_t staleness_ms; /* of its oldest increment; -1: unknown */
};

/* w is in the table, or was before, by a statement of keys that took so
 * long. */
void flush_tally_commit(struct flush_tally *t, const struct window *w,
    bool replayed, int64_t took_us, size_t keys, int64_t now_ms);

#endif
