/*
 * What messages are worth (layer 2): how many, how many of them are no
 * increments, and the sum of the others.  Pure.
 */
#ifndef INCR_DEADLETTER_TALLY_H
#define INCR_DEADLETTER_TALLY_H

#include <stdint.h>

#include "base/buf.h"
#include "postgres/keysums.h"
#include "record/id.h"

struct tally {
	uint64_t messages, invalid;
	sums_total sum;
};

/* Adds a raw payload; with a key it counts only if it is an increment of
 * this key.  scratch is as for deadletter_judge.  0, or -1 if memory is
 * gone: unchanged. */
int tally_add(struct tally *t, const struct id *key, struct buf *scratch,
    const char *raw, size_t len);

void tally_merge(struct tally *t, const struct tally *more);

#endif
