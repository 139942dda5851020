/*
 * A seeded hash: of 16 bytes for tables whose keys are chosen by clients, of
 * texts for comparing long lists.  Nobody who does not know the seed can choose
 * keys that fall into one place, or other texts with the same hash.
 * Pure but for hash_seed_make.  Not for keeping: another seed, another hash.
 */
#ifndef INCR_HASH_H
#define INCR_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_BYTES = 16 };

struct hash_seed {
	uint64_t words[2];
};

/* A random seed. */
void hash_seed_make(struct hash_seed *ret);

/* The hash of HASH_BYTES bytes; all of its 64 bits are of use. */
uint64_t hash_of(const struct hash_seed *seed, const void *bytes);

/* The hash of a row of texts, `hash` being that of the texts before this one
 * (any number if it is the first). */
uint64_t hash_add(
    const struct hash_seed *seed, uint64_t hash, const void *bytes, size_t len);

#endif
