/* Counters of others: by how much each has grown between two readings. */
#include "top/counters.h"

#include <stdlib.h>

enum { FIRST_SIZE = 1024 };

static struct counter *
place(struct counter *all, size_t size, uint64_t hash)
{
	size_t at = hash & (size - 1);

	while (all[at].hash != 0 && all[at].hash != hash)
		at = (at + 1) & (size - 1);
	return &all[at];
}

/* Those that `all` of them, or of which only the seen ones, stay. */
static int
move(struct counters *c, size_t size, bool all)
{
	struct counter *to = calloc(size, sizeof *to);
	size_t n = 0;

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < c->size; i++)
		if (c->all[i].hash != 0 && (all || c->all[i].seen)) {
			*place(to, size, c->all[i].hash) = c->all[i];
			n++;
		}
	free(c->all);
	*c =
	    (struct counters){.seed = c->seed, .all = to, .n = n, .size = size};
	return 0;
}

int
counters_increase(struct counters *c, const struct counter_name *name,
    double value, bool fresh, double *ret)
{
	struct counter *at;
	uint64_t hash;

	if (c->size == 0)
		hash_seed_make(&c->seed);
	if (c->n * 2 >= c->size &&
	    move(c, c->size == 0 ? FIRST_SIZE : c->size * 2, true) < 0)
		return -1;
	hash = hash_add(
	    &c->seed, (uint64_t)name->source, name->name, name->name_len);
	hash = hash_add(&c->seed, hash, name->labels, name->labels_len);
	hash += hash == 0;
	at = place(c->all, c->size, hash);
	*ret = 0;
	if (at->hash == 0 && c->n >= COUNTERS_MAX)
		return 0;
	if (at->hash == 0) {
		*ret = fresh ? value : 0;
		c->n++;
	} else if (at->value <= value) {
		*ret = value - at->value;
	} else {
		*ret = value;
	}
	*at = (struct counter){.hash = hash, .value = value, .seen = true};
	return 0;
}

void
counters_end(struct counters *c)
{
	size_t seen = 0;

	for (size_t i = 0; i < c->size; i++)
		seen += c->all[i].seen;
	/* Without memory they stay known for one reading more. */
	if (seen < c->n)
		(void)move(c, c->size, false);
	for (size_t i = 0; i < c->size; i++)
		c->all[i].seen = false;
}

void
counters_free(struct counters *c)
{
	free(c->all);
	*c = (struct counters){0};
}
