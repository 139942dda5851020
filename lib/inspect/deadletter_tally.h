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

struct deadletter_tally {
	uint64_t messages, invalid;
	u128 sum;
};

/* Adds a raw payload; with a key it counts only if it is an increment of
 * this key.  scratch is as for deadletter_judge.  0, or -1 if memory is
 * gone: unchanged. */
int deadletter_tally_add(struct deadletter_tally *t, const struct id *key,
    struct buf *scratch, const char *raw, size_t len);

void deadletter_tally_merge(
    struct deadletter_tally *t, const struct deadletter_tally *more);

#endif
