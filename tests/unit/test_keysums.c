/*
 * The aggregate beside a naive one: sums, order, 128 bits, growth, many at
 * once, and the memory of a large table given back.
 */
#include "check.h"
#include "postgres/keysums.h"

enum { MANY = 100000, KEPT = 1 << 15 };

static struct hash_seed seed;

/* Key number i; neighbours differ at both ends. */
static struct id
key(uint32_t i)
{
	struct id id = {0};

	for (int k = 0; k < 4; k++) {
		id.bytes[k] = (uint8_t)(i * 2654435761u >> (24 - 8 * k));
		id.bytes[12 + k] = (uint8_t)(i >> (24 - 8 * k));
	}
	return id;
}

static void
add(struct keysums *s, uint32_t i, int64_t value)
{
	struct id id = key(i);

	check(keysums_add(s, &id, value) == 0, "key %u", i);
}

/* The sum of key i in a sorted table, 0 if it has none. */
static u128
find(const struct keysums *s, uint32_t i)
{
	struct id id = key(i);

	for (size_t k = 0; k < s->n; k++)
		if (id_equal(&s->items[k].key, &id))
			return s->items[k].sum;
	return 0;
}

static bool
ordered(const struct keysums *s)
{
	for (size_t k = 1; k < s->n; k++)
		if (memcmp(&s->items[k - 1].key, &s->items[k].key, ID_BYTES) >=
		    0)
			return false;
	return true;
}

static void
small(void)
{
	struct keysums s;

	keysums_open(&s, &seed);
	check(s.items == NULL, "no memory before the first key");
	keysums_sort(&s);
	check(s.n == 0 && s.sorted, "empty");
	keysums_clear(&s);
	add(&s, 1, 5);
	add(&s, 2, 7);
	add(&s, 1, 6);
	check(s.n == 2 && !s.sorted, "%zu", s.n);
	keysums_sort(&s);
	check(s.n == 2 && s.sorted && ordered(&s), "%zu", s.n);
	check(find(&s, 1) == 11 && find(&s, 2) == 7, "sums");
	keysums_clear(&s);
	check(s.n == 0 && !s.sorted && s.items != NULL, "kept");
	add(&s, 2, 1);
	keysums_sort(&s);
	check(s.n == 1 && find(&s, 2) == 1, "nothing left from before");
	keysums_free(&s);
	check(s.items == NULL && s.cap == 0 && s.n == 0, "freed");
	add(&s, 3, 1);
	check(s.n == 1, "usable");
	keysums_free(&s);
}

/* nil and max are keys like others. */
static void
extreme_keys(void)
{
	struct id nil = {0}, max;
	struct keysums s;

	memset(&max, 0xff, sizeof max);
	keysums_open(&s, &seed);
	check(keysums_add(&s, &max, 1) == 0 && keysums_add(&s, &nil, 2) == 0,
	    "add");
	keysums_sort(&s);
	check(s.n == 2 && id_equal(&s.items[0].key, &nil) &&
		  id_equal(&s.items[1].key, &max),
	    "as bytes, unsigned");
	keysums_free(&s);
}

static void
wide(void)
{
	u128 want = 0;
	struct keysums s;

	keysums_open(&s, &seed);
	for (int i = 0; i < 1000; i++) {
		add(&s, 1, INT64_MAX);
		want += INT64_MAX;
	}
	add(&s, 2, INT64_MAX);
	keysums_sort(&s);
	check(find(&s, 1) == want && want / 1000 == INT64_MAX, "128 bits");
	check(find(&s, 2) == INT64_MAX, "the neighbour");
	keysums_free(&s);
}

/* Every key twice, so that each is found again after each growth. */
static void
many(void)
{
	struct keysums s;
	u128 total = 0;

	keysums_open(&s, &seed);
	for (uint32_t i = 0; i < MANY; i++) {
		add(&s, i, 1);
		add(&s, i / 2, 1);
	}
	check(s.n == MANY && s.cap > MANY && s.cap < 4 * MANY, "%zu of %zu",
	    s.n, s.cap);
	check((s.cap & (s.cap - 1)) == 0, "a power of two: %zu", s.cap);
	keysums_sort(&s);
	check(s.n == MANY && ordered(&s), "%zu", s.n);
	for (size_t k = 0; k < s.n; k++)
		total += s.items[k].sum;
	check(total == 2 * MANY, "nothing lost");
	check(find(&s, 0) == 3 && find(&s, MANY - 1) == 1, "each at its key");
	keysums_clear(&s);
	check(s.cap == 0 && s.items == NULL, "a large table is given back");
	add(&s, 1, 1);
	check(s.n == 1 && s.cap <= KEPT, "it begins small again: %zu", s.cap);
	keysums_free(&s);
}

/* All at once is one after the other, in an empty table and in a full one. */
static void
all_at_once(void)
{
	static struct increment increments[MANY];
	struct keysums one, all;

	keysums_open(&one, &seed);
	keysums_open(&all, &seed);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < MANY; i++) {
			uint32_t k = (i * 2654435761u >> 8) % (MANY / 3);

			increments[i] = (struct increment){
			    key(k + round * 1000), 1 + i % 7};
			check(keysums_add(&one, &increments[i].key,
				  increments[i].value) == 0,
			    "memory");
		}
		/* In pieces of every length. */
		for (size_t from = 0, n = 0; from < MANY; from += n, n++) {
			if (n > MANY - from)
				n = MANY - from;
			check(keysums_add_all(&all, increments + from, n) == 0,
			    "memory");
		}
	}
	keysums_sort(&one);
	keysums_sort(&all);
	check(one.n == all.n && one.n > MANY / 3, "%zu, %zu", one.n, all.n);
	for (size_t i = 0; i < one.n && i < all.n; i++)
		check(id_equal(&one.items[i].key, &all.items[i].key) &&
			  one.items[i].sum == all.items[i].sum,
		    "item %zu", i);
	keysums_free(&one);
	keysums_free(&all);
}

/* Keys that differ only in some of their bytes, of which some have few values:
 * what clients can choose. */
static void
order(void)
{
	static const uint8_t bytes[][2] = {
	    {0, 1}, {0, 15}, {14, 15}, {15, 14}, {7, 8}, {3, 3}};

	for (size_t i = 0; i < check_n(bytes); i++)
		for (uint32_t step = 1; step <= 128; step *= 2) {
			size_t n = 0;
			struct keysums s;

			keysums_open(&s, &seed);
			for (uint32_t a = 0; a < 256; a += step)
				for (uint32_t b = 0; b < 256; b += 5) {
					struct id id = {{0x7f}};

					id.bytes[bytes[i][0]] =
					    (uint8_t)(a ^ 0x55);
					id.bytes[bytes[i][1]] =
					    (uint8_t)(b * 7);
					check(keysums_add(&s, &id, 1) == 0,
					    "memory");
					n++;
				}
			keysums_sort(&s);
			check(ordered(&s), "bytes %u, %u", bytes[i][0],
			    bytes[i][1]);
			for (size_t k = 0; k < s.n; k++)
				n -= (size_t)s.items[k].sum;
			check(n == 0, "%zu missing", n);
			keysums_free(&s);
		}
}

int
main(void)
{
	hash_seed_make(&seed);
	all_at_once();
	order();
	small();
	extreme_keys();
	wide();
	many();
	return check_end();
}
