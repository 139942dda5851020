/* A hash table that adds values up by key. */
#include "postgres/keysums.h"

#include <stdlib.h>
#include <string.h>

enum {
	CAP_MIN = 1 << 10,
	CAP_KEPT = 1 << 15 /* 1 MiB */
};

static int grow(struct keysums *s);
static struct keysums_item *place(
    const struct keysums *s, const struct id *key);
static int compare(const void *a, const void *b);

void
keysums_open(struct keysums *s, const struct hash_seed *seed)
{
	*s = (struct keysums){.seed = *seed};
}

int
keysums_add(struct keysums *s, const struct id *key, int64_t value)
{
	struct keysums_item *item;

	/* Linear probing stays short up to two thirds. */
	if (s->n >= s->cap / 3 * 2 && grow(s) < 0)
		return -1;
	item = place(s, key);
	if (item->sum == 0) {
		item->key = *key;
		s->n++;
	}
	item->sum += (uint64_t)value;
	return 0;
}

static int
grow(struct keysums *s)
{
	struct keysums bigger = *s;

	bigger.cap = s->cap == 0 ? CAP_MIN : 2 * s->cap;
	bigger.items = calloc(bigger.cap, sizeof *bigger.items);
	if (bigger.items == NULL)
		return -1;
	for (size_t i = 0; i < s->cap; i++)
		if (s->items[i].sum != 0)
			*place(&bigger, &s->items[i].key) = s->items[i];
	free(s->items);
	*s = bigger;
	return 0;
}

/* Where key is, or the free place where it belongs. */
static struct keysums_item *
place(const struct keysums *s, const struct id *key)
{
	size_t i = hash_of(&s->seed, key->bytes) & (s->cap - 1);

	while (s->items[i].sum != 0 &&
	       memcmp(&s->items[i].key, key, sizeof *key) != 0)
		i = (i + 1) & (s->cap - 1);
	return &s->items[i];
}

void
keysums_sort(struct keysums *s)
{
	size_t to = 0;

	for (size_t i = 0; to < s->n; i++)
		if (s->items[i].sum != 0)
			s->items[to++] = s->items[i];
	if (s->n > 1)
		qsort(s->items, s->n, sizeof *s->items, compare);
	s->sorted = true;
}

static int
compare(const void *a, const void *b)
{
	const struct keysums_item *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof x->key);
}

void
keysums_clear(struct keysums *s)
{
	if (s->cap > CAP_KEPT) {
		keysums_free(s);
		return;
	}
	if (s->cap > 0)
		memset(s->items, 0, s->cap * sizeof *s->items);
	s->n = 0;
	s->sorted = false;
}

void
keysums_free(struct keysums *s)
{
	free(s->items);
	s->items = NULL;
	s->cap = s->n = 0;
	s->sorted = false;
}
