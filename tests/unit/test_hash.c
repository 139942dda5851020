/* The seeded hash: the same for the same seed only, and spread well in its
 * high and its low bits for keys that differ in any place. */
#include "base/hash.h"
#include "check.h"

#include <stdbool.h>

enum { KEYS = 1024 };

/* How many of KEYS places are taken by keys that count at byte `at`. */
static unsigned
places(const struct hash_seed *seed, int at, int shift)
{
	static bool taken[KEYS];
	unsigned n = 0;

	memset(taken, 0, sizeof taken);
	for (unsigned i = 0; i < KEYS; i++) {
		uint8_t key[HASH_BYTES] = {0};
		uint64_t place;

		key[at] = (uint8_t)i;
		key[at + 1] = (uint8_t)(i >> 8);
		place = hash_of(seed, key) >> shift & (KEYS - 1);
		n += !taken[place];
		taken[place] = true;
	}
	return n;
}

static uint64_t
hash_two(const struct hash_seed *seed, const char *one, const char *two)
{
	return hash_add(
	    seed, hash_add(seed, 0, one, strlen(one)), two, strlen(two));
}

static void
check_texts(const struct hash_seed *seed)
{
	uint64_t was = hash_two(seed, "one text of some length", "two");

	check(hash_two(seed, "one text of some length", "two") == was, "same");
	check(hash_two(seed, "one text of some lengtH", "two") != was, "end");
	check(hash_two(seed, "One text of some length", "two") != was, "start");
	check(hash_two(seed, "one text of some lengtht", "wo") != was, "cut");
	check(hash_two(seed, "two", "one text of some length") != was, "order");
	check(hash_add(seed, was, "", 0) != was, "an empty one");
	check(hash_add(seed, was, "\0", 1) != hash_add(seed, was, "\0\0", 2),
	    "zeros");
}

int
main(void)
{
	static const struct hash_seed fixed = {
	    {0x243f6a8885a308d3, 0x13198a2e03707344}};
	struct hash_seed a, b;
	uint8_t key[HASH_BYTES] = "0123456789abcde";

	/* Random places would be 63 of 100. */
	for (int at = 0; at < HASH_BYTES - 1; at++) {
		check(places(&fixed, at, 0) > KEYS / 2, "low of %d: %u", at,
		    places(&fixed, at, 0));
		check(places(&fixed, at, 54) > KEYS / 2, "high of %d: %u", at,
		    places(&fixed, at, 54));
	}
	hash_seed_make(&a);
	hash_seed_make(&b);
	check(hash_of(&a, key) == hash_of(&a, key), "same seed");
	check(hash_of(&a, key) != hash_of(&b, key), "another seed");
	check_texts(&fixed);
	return check_end();
}
