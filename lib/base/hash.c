/* Hashes with a random seed: 16 bytes, or bytes of any number. */
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#include "base/u128.h"

void
hash_seed_make(struct hash_seed *ret)
{
	arc4random_buf(ret, sizeof *ret);
}

/* The 128-bit product's halves, folded. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
	u128 product = (u128)a * b;

	return (uint64_t)(product ^ (product >> 64));
}

/* One multiplication by a secret leaves patterns of the key in some bits; the
 * second, by the golden ratio, spreads them over all. */
uint64_t
hash_of(const struct hash_seed *seed, const void *bytes)
{
	uint64_t half[2];

	memcpy(half, bytes, sizeof half);
	return fold(fold(half[0] ^ seed->words[0], half[1] ^ seed->words[1]),
	    UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t
hash_add(
    const struct hash_seed *seed, uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	uint64_t words[2] = {hash, len};

	hash = hash_of(seed, words);
	for (size_t at = 0; at < len; at += sizeof words[1]) {
		size_t n = len - at;

		words[0] = hash;
		words[1] = 0;
		memcpy(&words[1], from + at,
		    n < sizeof words[1] ? n : sizeof words[1]);
		hash = hash_of(seed, words);
	}
	return hash;
}
