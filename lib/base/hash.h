/*
 * A seeded hash of 16 bytes, for tables whose keys are chosen by clients:
 * nobody who does not know the seed can choose keys that fall into one place.
 * Pure but for hash_seed_make.  Not for keeping: another seed, another hash.
 */
#ifndef INCR_HASH_H
#define INCR_HASH_H

#include <stdint.h>

enum { HASH_BYTES = 16 };

struct hash_seed {
	uint64_t words[2];
};

/* A random seed. */
void hash_seed_make(struct hash_seed *ret);

/* The hash of HASH_BYTES bytes; all of its 64 bits are of use. */
uint64_t hash_of(const struct hash_seed *seed, const void *bytes);

#endif
