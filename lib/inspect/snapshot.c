/* Compares what consumers held with what the ledger has. */
#include "inspect/snapshot.h"

#include <stdlib.h>
#include <string.h>

static int copy(struct snapshot *s, const struct queue *q);
static size_t count_batches(const struct queue_surveyed *from);
static void copy_consumer(struct snapshot *s, const struct queue_held *held);
static void keep_tallies(struct snapshot *s, struct snapshot *old);
static const struct snapshot_row *find(
    const struct snapshot_rows *rows, const struct id *consumer);
static int compare_rows(const void *a, const void *b);
static int compare_batches(const void *a, const void *b);

int
snapshot_take(struct snapshot *s, const struct queue *q)
{
	struct snapshot old = *s;
	int result;

	*s = (struct snapshot){0};
	result = copy(s, q);
	if (result < 0)
		snapshot_free(s);
	else
		keep_tallies(s, &old);
	snapshot_free(&old);
	return result;
}

static int
copy(struct snapshot *s, const struct queue *q)
{
	const struct queue_surveyed *from = queue_surveyed(q);
	struct queue_held held;

	s->ready = from->ready;
	s->rejected = from->rejected;
	s->totals = from->totals;
	s->last.list = calloc(from->consumers + 1, sizeof *s->last.list);
	s->batches = calloc(count_batches(from) + 1, sizeof *s->batches);
	if (s->last.list == NULL || s->batches == NULL)
		return -1;
	for (size_t i = 0; i < from->consumers; i++)
		if (queue_surveyed_consumer(from, i, &held) == 0)
			copy_consumer(s, &held);
	snapshot_sort(&s->last);
	qsort(s->batches, s->n_batches, sizeof *s->batches, compare_batches);
	return 0;
}

static size_t
count_batches(const struct queue_surveyed *from)
{
	struct queue_held held;
	size_t n = 0;

	for (size_t i = 0; i < from->consumers; i++)
		if (queue_surveyed_consumer(from, i, &held) == 0)
			n += held.n;
	return n;
}

static void
copy_consumer(struct snapshot *s, const struct queue_held *held)
{
	s->last.list[s->last.n++] =
	    (struct snapshot_row){held->consumer, held->last};
	for (size_t i = 0; i < held->n; i++) {
		struct queue_held_batch b = queue_held_batch(held, i);

		s->batches[s->n_batches++] =
		    (struct snapshot_batch){.consumer = held->consumer,
			.seq = b.seq,
			.length = b.length};
	}
}

/* Batches never change, so a tally that is known stays known. */
static void
keep_tallies(struct snapshot *s, struct snapshot *old)
{
	for (size_t i = 0; i < s->n_batches && old->n_batches > 0; i++) {
		struct snapshot_batch *was =
		    bsearch(&s->batches[i], old->batches, old->n_batches,
			sizeof *old->batches, compare_batches);

		if (was == NULL || !was->known)
			continue;
		s->batches[i] = *was;
		was->log = (struct expectation_log){0};
	}
}

void
snapshot_free(struct snapshot *s)
{
	for (size_t i = 0; i < s->n_batches; i++)
		expectation_log_free(&s->batches[i].log);
	free(s->last.list);
	free(s->batches);
	*s = (struct snapshot){0};
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
snapshot_is_stable(const struct snapshot *before, const struct snapshot *after)
{
	const struct snapshot_rows *was = &before->last, *is = &after->last;

	if (after->ready < before->ready || after->rejected < before->rejected)
		return false;
	/* A consumer that is gone may have taken a batch before. */
	for (size_t i = 0; i < was->n; i++)
		if (!snapshot_has(is, &was->list[i].consumer))
			return false;
	for (size_t i = 0; i < is->n; i++)
		if (is->list[i].seq != snapshot_seq(was, &is->list[i].consumer))
			return false;
	return true;
}

bool
snapshot_fits_ledger(const struct snapshot *s,
    const struct snapshot_rows *earlier, const struct snapshot_rows *ledger)
{
	for (size_t i = 0; i < ledger->n; i++) {
		const struct snapshot_row *row = &ledger->list[i];

		if (snapshot_has(&s->last, &row->consumer) &&
		    row->seq <= snapshot_seq(&s->last, &row->consumer))
			continue;
		if (row->seq != snapshot_seq(earlier, &row->consumer))
			return false;
	}
	return true;
}

uint64_t
snapshot_unknown(const struct snapshot *s, const struct snapshot_rows *ledger)
{
	uint64_t unknown = 0;

	for (size_t i = 0; i < s->last.n; i++) {
		uint64_t row = snapshot_seq(ledger, &s->last.list[i].consumer);

		if (row > s->last.list[i].seq)
			unknown += row - s->last.list[i].seq;
	}
	return unknown;
}

uint64_t
snapshot_missing(const struct snapshot *s, const struct snapshot_rows *ledger)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < s->last.n; i++) {
		uint64_t row = snapshot_seq(ledger, &s->last.list[i].consumer);

		if (s->last.list[i].seq > row)
			missing += s->last.list[i].seq - row;
	}
	for (size_t i = 0; i < s->n_batches; i++)
		if (missing > 0 &&
		    s->batches[i].seq >
			snapshot_seq(ledger, &s->batches[i].consumer))
			missing--;
	return missing;
}
