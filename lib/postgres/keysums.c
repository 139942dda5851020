/* A hash table that adds values up by key. */
#include "postgres/keysums.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CAP_MIN = 1 << 10,
	CAP_KEPT = 1 << 15, /* 1 MiB with its items */
	FEW = 128,          /* items that are not worth a table of 256 */
	AHEAD = 8,          /* increments from place to item, and to adding */
	BYTE = 256
};

static const struct keysums_place *first_place(
    const struct keysums *s, const struct id *key);
static void fetch_item(const struct keysums *s, const struct id *key);
static int grow(struct keysums *s);
static struct keysums_place *place(
    const struct keysums *s, uint32_t hash, const struct id *key);
static void sort(struct keysums_item *items, size_t n, size_t at);
static void deal(
    struct keysums_item *items, size_t at, size_t from[BYTE], size_t to[BYTE]);
static void sort_few(struct keysums_item *items, size_t n);

void
keysums_open(struct keysums *s, const struct hash_seed *seed)
{
	*s = (struct keysums){.seed = *seed};
}

int
keysums_add(struct keysums *s, const struct id *key, int64_t value)
{
	uint32_t hash = (uint32_t)hash_of(&s->seed, key->bytes);
	struct keysums_place *p;

	/* Linear probing stays short up to two thirds. */
	if (s->n >= s->cap / 3 * 2 && grow(s) < 0)
		return -1;
	p = place(s, hash, key);
	if (p->item == 0) {
		s->items[s->n++] = (struct keysums_item){.key = *key};
		*p = (struct keysums_place){hash, (uint32_t)s->n};
	}
	s->items[p->item - 1].sum += (uint64_t)value;
	return 0;
}

int
keysums_add_all(struct keysums *s, const struct increment *increments, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s->cap > 0 && i + 2 * AHEAD < n)
			__builtin_prefetch(
			    first_place(s, &increments[i + 2 * AHEAD].key));
		if (s->cap > 0 && i + AHEAD < n)
			fetch_item(s, &increments[i + AHEAD].key);
		if (keysums_add(s, &increments[i].key, increments[i].value) < 0)
			return -1;
	}
	return 0;
}

static const struct keysums_place *
first_place(const struct keysums *s, const struct id *key)
{
	return &s->places[hash_of(&s->seed, key->bytes) & (s->cap - 1)];
}

/* Most keys are in the first place where they belong. */
static void
fetch_item(const struct keysums *s, const struct id *key)
{
	uint32_t item = first_place(s, key)->item;

	if (item != 0)
		__builtin_prefetch(&s->items[item - 1]);
}

/* A place moves to one of two, so that both tables are passed through in
 * order; realloc(3) moves large memory without copying it. */
static int
grow(struct keysums *s)
{
	struct keysums bigger = *s;

	if (s->cap > UINT32_MAX / 2) {
		errno = ENOMEM;
		return -1;
	}
	bigger.cap = s->cap == 0 ? CAP_MIN : 2 * s->cap;
	bigger.items =
	    reallocarray(s->items, bigger.cap / 3 * 2, sizeof *bigger.items);
	if (bigger.items == NULL)
		return -1;
	s->items = bigger.items;
	bigger.places = calloc(bigger.cap, sizeof *bigger.places);
	if (bigger.places == NULL)
		return -1;
	for (size_t i = 0; i < s->cap; i++)
		if (s->places[i].item != 0)
			*place(&bigger, s->places[i].hash, NULL) = s->places[i];
	free(s->places);
	*s = bigger;
	return 0;
}

static inline bool
equal(const struct id *a, const struct id *b)
{
	return memcmp(a->bytes, b->bytes, ID_BYTES) == 0;
}

/* Where key is, or the free place where it belongs.  NULL: it is not there. */
static struct keysums_place *
place(const struct keysums *s, uint32_t hash, const struct id *key)
{
	size_t i = hash & (s->cap - 1);

	while (s->places[i].item != 0 &&
	       (key == NULL || s->places[i].hash != hash ||
		   !equal(&s->items[s->places[i].item - 1].key, key)))
		i = (i + 1) & (s->cap - 1);
	return &s->places[i];
}

bool
keysums_has(const struct keysums *s, const struct id *key)
{
	return s->cap > 0 &&
	       place(s, (uint32_t)hash_of(&s->seed, key->bytes), key)->item !=
		   0;
}

void
keysums_sort(struct keysums *s)
{
	if (s->cap > CAP_KEPT) {
		free(s->places);
		s->places = NULL;
	}
	sort(s->items, s->n, 0);
	s->sorted = true;
}

/* By byte number `at`, in place, then what has the same byte by the next:
 * the keys are equal before it. */
static void
sort(struct keysums_item *items, size_t n, size_t at)
{
	size_t from[BYTE], to[BYTE] = {0}, begin = 0;

	if (n <= FEW || at == ID_BYTES) {
		sort_few(items, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		to[items[i].key.bytes[at]]++;
	for (size_t b = 0; b < BYTE; b++) {
		from[b] = begin;
		begin = to[b] += begin;
	}
	deal(items, at, from, to);
	begin = 0;
	for (size_t b = 0; b < BYTE; b++) {
		sort(items + begin, to[b] - begin, at + 1);
		begin = to[b];
	}
}

/* The items with byte b go to from[b] and behind it, up to to[b]. */
static void
deal(struct keysums_item *items, size_t at, size_t from[BYTE], size_t to[BYTE])
{
	for (size_t b = 0; b < BYTE; b++)
		while (from[b] < to[b]) {
			struct keysums_item moved = items[from[b]];
			size_t home = moved.key.bytes[at];

			/* Until one comes that belongs here. */
			while (home != b) {
				size_t i = from[home]++;
				struct keysums_item other = items[i];

				items[i] = moved;
				moved = other;
				home = moved.key.bytes[at];
			}
			items[from[b]++] = moved;
		}
}

static inline bool
is_less(const struct id *a, const struct id *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->bytes, sizeof x);
	memcpy(y, b->bytes, sizeof y);
	if (x[0] != y[0])
		return be64toh(x[0]) < be64toh(y[0]);
	return be64toh(x[1]) < be64toh(y[1]);
}

/* By insertion. */
static void
sort_few(struct keysums_item *items, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct keysums_item moved = items[i];
		size_t k = i;

		for (; k > 0 && is_less(&moved.key, &items[k - 1].key); k--)
			items[k] = items[k - 1];
		items[k] = moved;
	}
}

void
keysums_clear(struct keysums *s)
{
	if (s->cap > CAP_KEPT) {
		keysums_free(s);
		return;
	}
	if (s->cap > 0)
		memset(s->places, 0, s->cap * sizeof *s->places);
	s->n = 0;
	s->sorted = false;
}

void
keysums_free(struct keysums *s)
{
	free(s->items);
	free(s->places);
	s->items = NULL;
	s->places = NULL;
	s->cap = s->n = 0;
	s->sorted = false;
}
