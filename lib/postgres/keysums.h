/*
 * Sums by key, in a hash table.  Pure.
 *
 * Keys are chosen by clients; the hash is seeded, so that nobody can choose
 * keys that all fall into one place.
 */
#ifndef INCR_KEYSUMS_H
#define INCR_KEYSUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/u128.h"
#include "record/id.h"

struct keysums_item {
	struct id key;
	u128 sum; /* 0: the place is free; no number of int64s that fits
		   * a disk overflows it */
};

struct keysums {
	struct keysums_item
	    *items; /* cap of them; after keysums_sort the first n */
	size_t cap, n;
	struct hash_seed seed;
	bool sorted;
};

/* An empty table, no memory yet. */
void keysums_open(struct keysums *s, const struct hash_seed *seed);

/* Adds value (at least 1) to the sum of key.  0, or -1 with errno ENOMEM:
 * unchanged.  Not after keysums_sort. */
int keysums_add(struct keysums *s, const struct id *key, int64_t value);

/* Moves the n items to the front of s->items, in order of their keys (as
 * bytes, which is Postgres's order of uuids).  Needs no memory.  After it
 * only reading and keysums_clear are allowed. */
void keysums_sort(struct keysums *s);

/* Empties s.  The memory of a table above 1 MiB is given back. */
void keysums_clear(struct keysums *s);

/* Gives all memory back; s is then empty and usable. */
void keysums_free(struct keysums *s);

#endif
