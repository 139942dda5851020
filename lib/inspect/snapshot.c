#include "inspect/snapshot.h"

#include <stdlib.h>
#include <string.h>

static int copy(struct snapshot *h, const struct queue *q);
static size_t count_batches(const struct queue_surveyed *s);
static void inherit(struct snapshot *h, const struct snapshot *old);
static const struct snapshot_row *find(
    const struct snapshot_rows *rows, const struct id *consumer);
static int compare_rows(const void *a, const void *b);
static int compare_batches(const void *a, const void *b);

int
snapshot_take(struct snapshot *h, const struct queue *q)
{
	struct snapshot old = *h;
	int result;

	*h = (struct snapshot){0};
	result = copy(h, q);
	if (result < 0)
		snapshot_free(h);
	else
		inherit(h, &old);
	snapshot_free(&old);
	return result;
}

static int
copy(struct snapshot *h, const struct queue *q)
{
	const struct queue_surveyed *s = queue_surveyed(q);
	struct queue_held held;

	h->ready = s->ready;
	h->rejected = s->rejected;
	h->last.list = calloc(s->consumers + 1, sizeof *h->last.list);
	h->batches = calloc(count_batches(s) + 1, sizeof *h->batches);
	if (h->last.list == NULL || h->batches == NULL)
		return -1;
	for (size_t i = 0; i < s->consumers; i++) {
		if (queue_surveyed_consumer(s, i, &held) < 0)
			continue;
		h->last.list[h->last.n++] =
		    (struct snapshot_row){held.consumer, held.last};
		for (size_t j = 0; j < held.n; j++) {
			struct queue_held_batch b = queue_held_batch(&held, j);

			h->batches[h->n_batches++] =
			    (struct snapshot_batch){.consumer = held.consumer,
				.seq = b.seq,
				.length = b.length};
		}
	}
	snapshot_sort(&h->last);
	qsort(h->batches, h->n_batches, sizeof *h->batches, compare_batches);
	return 0;
}

static size_t
count_batches(const struct queue_surveyed *s)
{
	struct queue_held held;
	size_t n = 0;

	for (size_t i = 0; i < s->consumers; i++)
		if (queue_surveyed_consumer(s, i, &held) == 0)
			n += held.n;
	return n;
}

static void
inherit(struct snapshot *h, const struct snapshot *old)
{
	for (size_t i = 0; i < h->n_batches && old->n_batches > 0; i++) {
		const struct snapshot_batch *was =
		    bsearch(&h->batches[i], old->batches, old->n_batches,
			sizeof *old->batches, compare_batches);

		if (was != NULL && was->known)
			h->batches[i] = *was;
	}
}

void
snapshot_free(struct snapshot *h)
{
	free(h->last.list);
	free(h->batches);
	*h = (struct snapshot){0};
}

void
snapshot_sort(struct snapshot_rows *rows)
{
	if (rows->n > 1)
		qsort(rows->list, rows->n, sizeof *rows->list, compare_rows);
}

uint64_t
snapshot_seq(const struct snapshot_rows *rows, const struct id *consumer)
{
	const struct snapshot_row *row = find(rows, consumer);

	return row == NULL ? 0 : row->seq;
}

bool
snapshot_has(const struct snapshot_rows *rows, const struct id *consumer)
{
	return find(rows, consumer) != NULL;
}

static const struct snapshot_row *
find(const struct snapshot_rows *rows, const struct id *consumer)
{
	struct snapshot_row key = {.consumer = *consumer};

	return rows->n == 0 ? NULL
			    : bsearch(&key, rows->list, rows->n,
				  sizeof *rows->list, compare_rows);
}

static int
compare_rows(const void *a, const void *b)
{
	const struct snapshot_row *x = a, *y = b;

	return memcmp(&x->consumer, &y->consumer, sizeof x->consumer);
}

static int
compare_batches(const void *a, const void *b)
{
	const struct snapshot_batch *x = a, *y = b;
	int order = memcmp(&x->consumer, &y->consumer, sizeof x->consumer);

	return order != 0 ? order : (x->seq > y->seq) - (x->seq < y->seq);
}

bool
snapshot_rest(const struct snapshot *before, const struct snapshot *after)
{
	const struct snapshot_rows *was = &before->last, *is = &after->last;

	if (after->ready < before->ready || after->rejected < before->rejected)
		return false;
	/* One that was swept may have taken something before. */
	for (size_t i = 0; i < was->n; i++)
		if (!snapshot_has(is, &was->list[i].consumer))
			return false;
	for (size_t i = 0; i < is->n; i++)
		if (is->list[i].seq != snapshot_seq(was, &is->list[i].consumer))
			return false;
	return true;
}

bool
snapshot_precede(const struct snapshot *h, const struct snapshot_rows *earlier,
    const struct snapshot_rows *ledger)
{
	for (size_t i = 0; i < ledger->n; i++) {
		const struct snapshot_row *row = &ledger->list[i];

		if (snapshot_has(&h->last, &row->consumer)
			? row->seq > snapshot_seq(&h->last, &row->consumer)
			: row->seq != snapshot_seq(earlier, &row->consumer))
			return false;
	}
	return true;
}

uint64_t
snapshot_missing(const struct snapshot *h, const struct snapshot_rows *ledger)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < h->last.n; i++) {
		uint64_t row = snapshot_seq(ledger, &h->last.list[i].consumer);

		if (h->last.list[i].seq > row)
			missing += h->last.list[i].seq - row;
	}
	for (size_t i = 0; i < h->n_batches; i++)
		if (h->batches[i].seq >
		    snapshot_seq(ledger, &h->batches[i].consumer))
			missing--;
	return missing;
}
