/* Keeps the list of adopted consumers and their unread batches. */
#include "consume/adopted.h"

#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"

static struct adopted_consumer *find(
    struct adopted *o, const struct id *consumer);
static size_t first_unread(const struct adopted *o);

uint64_t *
adopted_add(
    struct adopted *o, const struct id *consumer, size_t n, int64_t sent_ms)
{
	struct adopted_consumer *known = find(o, consumer);
	uint64_t *seqs;

	if (known == NULL && o->n == ADOPTED_MAX)
		return NULL;
	seqs = calloc(n, sizeof *seqs);
	if (seqs == NULL)
		return NULL;
	if (known == NULL)
		known = &o->list[o->n++];
	else
		free(known->seqs);
	*known = (struct adopted_consumer){
	    .consumer = *consumer, .seqs = seqs, .n = n, .sent_ms = sent_ms};
	return seqs;
}

bool
adopted_renew(struct adopted *o, const struct id *consumer, int64_t sent_ms,
    int64_t now_ms)
{
	struct adopted_consumer *known = find(o, consumer);
	bool lasted;

	if (known == NULL)
		return false;
	lasted = now_ms - known->sent_ms < QUEUE_OWNER_MS;
	known->sent_ms = sent_ms;
	return lasted;
}

bool
adopted_next(
    const struct adopted *o, const struct id **ret_consumer, uint64_t *ret_seq)
{
	size_t i = first_unread(o);

	if (i == o->n)
		return false;
	*ret_consumer = &o->list[i].consumer;
	*ret_seq = o->list[i].seqs[o->list[i].next];
	return true;
}

bool
adopted_unread(const struct adopted *o)
{
	return first_unread(o) < o->n;
}

void
adopted_advance(struct adopted *o)
{
	size_t i = first_unread(o);

	if (i < o->n)
		o->list[i].next++;
}

void
adopted_forget(struct adopted *o, const struct id *consumer)
{
	struct adopted_consumer *known = find(o, consumer);

	if (known == NULL)
		return;
	free(known->seqs);
	o->n--;
	memmove(
	    known, known + 1, (size_t)(o->list + o->n - known) * sizeof *known);
}

size_t
adopted_share(size_t candidates, size_t live)
{
	if (live == 0)
		live = 1;
	return (candidates + 1 + live - 1) / live;
}

void
adopted_clear(struct adopted *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->list[i].seqs);
	o->n = 0;
}

static struct adopted_consumer *
find(struct adopted *o, const struct id *consumer)
{
	for (size_t i = 0; i < o->n; i++)
		if (id_equal(&o->list[i].consumer, consumer))
			return &o->list[i];
	return NULL;
}

/* o->n if all were read. */
static size_t
first_unread(const struct adopted *o)
{
	size_t i = 0;

	while (i < o->n && o->list[i].next == o->list[i].n)
		i++;
	return i;
}
