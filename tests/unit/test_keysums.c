/*
 * The aggregate beside a naive one: sums, order, 128 bits, growth, and the
 * memory of a large table given back.
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

int
main(void)
{
	hash_seed_make(&seed);
	small();
	extreme_keys();
	wide();
	many();
	return check_end();
}
