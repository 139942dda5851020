#include "consume/adopted.h"

#include <stdlib.h>
#include <string.h>

static struct orphan *find(struct orphans *o, const struct id *consumer);
static size_t first_unread(const struct orphans *o);

uint64_t *
orphans_add(struct orphans *o, const struct id *consumer, size_t n)
{
	struct orphan *known = find(o, consumer);
	uint64_t *seqs;

	if (known == NULL && o->n == ORPHANS_MAX)
		return NULL;
	seqs = calloc(n, sizeof *seqs);
	if (seqs == NULL)
		return NULL;
	if (known == NULL)
		known = &o->list[o->n++];
	else
		free(known->seqs);
	*known = (struct orphan){.consumer = *consumer, .seqs = seqs, .n = n};
	return seqs;
}

bool
orphans_next(
    const struct orphans *o, const struct id **ret_consumer, uint64_t *ret_seq)
{
	size_t i = first_unread(o);

	if (i == o->n)
		return false;
	*ret_consumer = &o->list[i].consumer;
	*ret_seq = o->list[i].seqs[o->list[i].next];
	return true;
}

void
orphans_advance(struct orphans *o)
{
	size_t i = first_unread(o);

	if (i < o->n)
		o->list[i].next++;
}

void
orphans_forget(struct orphans *o, const struct id *consumer)
{
	struct orphan *known = find(o, consumer);

	if (known == NULL)
		return;
	free(known->seqs);
	o->n--;
	memmove(
	    known, known + 1, (size_t)(o->list + o->n - known) * sizeof *known);
}

void
orphans_clear(struct orphans *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->list[i].seqs);
	o->n = 0;
}

static struct orphan *
find(struct orphans *o, const struct id *consumer)
{
	for (size_t i = 0; i < o->n; i++)
		if (id_equal(&o->list[i].consumer, consumer))
			return &o->list[i];
	return NULL;
}

/* o->n if all were read. */
static size_t
first_unread(const struct orphans *o)
{
	size_t i = 0;

	while (i < o->n && o->list[i].next == o->list[i].n)
		i++;
	return i;
}
