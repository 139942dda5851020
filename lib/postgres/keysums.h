/*
 * Sums by key: items in the order in which their keys came, and a hash table of
 * their places.  Pure.
 *
 *	places	hash, item	8 bytes each, a third of them or more free
 *	items	key, sum	32 bytes each
 *
 * The table alone is looked through for a key; it is small, and the items are
 * never moved until they are sorted.
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
#include "record/increment.h"

struct keysums_item {
	struct id key;
	u128 sum; /* no number of int64s that fits a disk overflows it */
};

struct keysums_place {
	uint32_t hash; /* its low bits, which are where it belongs */
	uint32_t item; /* number, from 1; 0: the place is free */
};

struct keysums {
	struct keysums_item *items;   /* n of them */
	struct keysums_place *places; /* cap of them */
	size_t cap, n;
	struct hash_seed seed;
	bool sorted;
};

/* An empty table, no memory yet. */
void keysums_open(struct keysums *s, const struct hash_seed *seed);

/* Adds value (at least 1) to the sum of key.  0, or -1 with errno ENOMEM:
 * unchanged.  Not after keysums_sort. */
int keysums_add(struct keysums *s, const struct id *key, int64_t value);

/*
 * The same for n increments.  -1: some of them may have been added.  Each is
 * added once its place and its item are in the cache, which in a large table
 * costs half as much as one at a time.
 */
int keysums_add_all(
    struct keysums *s, const struct increment *increments, size_t n);

/* Has key a sum?  Not after keysums_sort. */
bool keysums_has(const struct keysums *s, const struct id *key);

/* Sorts the items by their keys (as bytes, which is Postgres's order of
 * uuids).  Needs no memory, and gives that of a large table of places back.
 * After it only reading and keysums_clear are allowed. */
void keysums_sort(struct keysums *s);

/* Empties s.  The memory of a table above 1 MiB is given back. */
void keysums_clear(struct keysums *s);

/* Gives all memory back; s is then empty and usable. */
void keysums_free(struct keysums *s);

#endif
