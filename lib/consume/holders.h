/*
 * Do the consumers that hold batches live?  For --once: it may leave when each
 * of them was adopted or has renewed its marks since it was first seen.  A
 * mark that was there at one look proves nothing: it outlives its consumer.
 * Memory only.
 */
#ifndef INCR_HOLDERS_H
#define INCR_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/id.h"

struct holder {
	struct id consumer;
	int64_t over_ms; /* at the latest, unless it is renewed */
	bool live;       /* was renewed */
	bool seen;       /* at this look */
};

/* All zero: no look yet. */
struct holders {
	struct holder *list;
	size_t n;
};

/* Notes a look: holders_note for each consumer, other than those that self
 * owns, between these two.  The look was asked for at asked_ms and answered at
 * now_ms; life_ms: how long the mark lived then, negative without one.
 * holders_note: 0, or -1 with errno ENOMEM. */
void holders_begin(struct holders *h);
int holders_note(struct holders *h, const struct id *consumer, int64_t life_ms,
    int64_t asked_ms, int64_t now_ms);
void holders_end(struct holders *h);

/* One of whom it is not known that it lives; NULL if there is none.  Borrowed
 * until the next look. */
const struct id *holders_doubtful(const struct holders *h);

/* Forgets all looks. */
void holders_free(struct holders *h);

#endif
