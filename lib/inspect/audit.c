/* Reads queues, tables and ledgers until all of one moment is known. */
#include "inspect/audit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/hash.h"
#include "inspect/audit_queue.h"
#include "inspect/audit_table.h"
#include "inspect/queue_sync.h"
#include "postgres/statements.h"

static enum audit_state begin(struct audit *a);
static enum audit_state run_once(struct audit *a);
static enum audit_state read_queues(struct audit *a);
static enum audit_state find_database(struct audit *a);
static bool fits(const struct audit_queue *o);
static const struct audit_rows *rows(const struct audit_queue *o);
static struct postgres *counts_in(
    const struct audit *a, const struct audit_queue *o);
static void divide_batches(struct audit *a, struct audit_queue *o);
static void compare_totals(const struct audit *a, struct audit_queue *o);
static void merge_counted(
    struct audit_queue *o, const struct deadletter_tally *t);
static enum audit_state settle(struct audit *a, struct audit_queue *o);

enum audit_state
audit_run(struct audit *a)
{
	enum audit_state state = begin(a);

	if (state == AUDIT_DONE)
		state = audit_table_read(a, NULL);
	for (int i = 0; i < AUDIT_ROUNDS && state == AUDIT_DONE; i++) {
		state = run_once(a);
		if (state != AUDIT_MOVING)
			return state;
		state = audit_table_read(a, NULL);
	}
	return state == AUDIT_DONE ? AUDIT_MOVING : state;
}

static enum audit_state
begin(struct audit *a)
{
	struct buf names = {0};

	hash_seed_make(&a->seed);
	for (size_t i = 0; i < a->n_queues; i++) {
		struct audit_queue *o = &a->queues[i];

		o->rows = calloc(a->n_databases, sizeof *o->rows);
		if (o->rows == NULL ||
		    buf_addf(&names, "%s%s", i == 0 ? "" : " ", o->name) < 0)
			break;
		if (i + 1 == a->n_queues)
			a->names = strndup(buf_ptr(&names), names.len);
	}
	buf_free(&names);
	return a->names == NULL ? AUDIT_MEMORY : AUDIT_DONE;
}

void
audit_free(struct audit *a)
{
	for (size_t i = 0; i < a->n_queues; i++) {
		struct audit_queue *o = &a->queues[i];

		snapshot_free(&o->snapshot);
		for (size_t d = 0; o->rows != NULL && d < a->n_databases; d++) {
			free(o->rows[d].earlier.list);
			free(o->rows[d].ledger.list);
		}
		free(o->rows);
		o->rows = NULL;
	}
	free(a->names);
	a->names = NULL;
	buf_free(&a->scratch);
}

/* One round.  The table is read right after the queues: the less time is
 * between them, the less moves. */
static enum audit_state
run_once(struct audit *a)
{
	enum audit_state state = read_queues(a);

	if (state != AUDIT_DONE)
		return state;
	FAILPOINT("audit-read");
	state = audit_table_read(a, a->expectation);
	for (size_t i = 0; i < a->n_queues && state == AUDIT_DONE; i++) {
		a->at = i;
		state = find_database(a);
	}
	if (state != AUDIT_DONE)
		return state;
	for (size_t i = 0; i < a->n_queues; i++) {
		a->queues[i].settled = fits(&a->queues[i]);
		if (!a->queues[i].settled)
			state = AUDIT_MOVING;
	}
	for (size_t i = 0; i < a->n_queues && state == AUDIT_DONE; i++) {
		divide_batches(a, &a->queues[i]);
		compare_totals(a, &a->queues[i]);
	}
	return state;
}

/* What is known of a queue is known, but its keys of an expectation are not
 * kept apart. */
static enum audit_state
read_queues(struct audit *a)
{
	enum audit_state state = AUDIT_DONE;

	if (a->expectation != NULL) {
		expectation_forget_queue(a->expectation);
		for (size_t i = 0; i < a->n_queues; i++)
			a->queues[i].settled = false;
	}
	for (size_t i = 0; i < a->n_queues && state == AUDIT_DONE; i++) {
		a->at = i;
		if (!a->queues[i].settled)
			state = audit_queue_read(a);
	}
	return state;
}

/* A queue alone is compared with the only ledger there is; of shards each has
 * the one that Redis names, or none yet. */
static enum audit_state
find_database(struct audit *a)
{
	struct audit_queue *o = &a->queues[a->at];
	static const struct id nil;
	const struct id *noted = &o->snapshot.totals.database;
	struct id database;

	o->counted_in = 0;
	if (id_equal(noted, &nil) || (a->n_queues == 1 && a->n_databases == 1))
		return AUDIT_DONE;
	for (size_t d = 0; d < a->n_databases; d++) {
		o->counted_in = d;
		if (statements_database(a->databases[d].pg, &database) == 0 &&
		    id_equal(&database, noted))
			return AUDIT_DONE;
	}
	return AUDIT_ELSEWHERE;
}

static const struct audit_rows *
rows(const struct audit_queue *o)
{
	return &o->rows[o->counted_in];
}

static struct postgres *
counts_in(const struct audit *a, const struct audit_queue *o)
{
	return a->databases[o->counted_in].pg;
}

static bool
fits(const struct audit_queue *o)
{
	return snapshot_fits_ledger(
	    &o->snapshot, &rows(o)->earlier, &rows(o)->ledger);
}

/* Batches up to the one in the ledger are in the table, but for the messages
 * that are no increments: these go to the rejected list later. */
static void
divide_batches(struct audit *a, struct audit_queue *o)
{
	o->taken = o->counted = (struct deadletter_tally){0};
	for (size_t i = 0; i < o->snapshot.n_batches; i++) {
		const struct snapshot_batch *b = &o->snapshot.batches[i];

		if (b->seq <= snapshot_seq(&rows(o)->ledger, &b->consumer)) {
			merge_counted(o, &b->tally);
			continue;
		}
		deadletter_tally_merge(&o->taken, &b->tally);
		if (a->expectation != NULL)
			expectation_add_log(a->expectation, &b->log);
	}
	o->missing = snapshot_missing(&o->snapshot, &rows(o)->ledger);
	o->unknown = snapshot_unknown(&o->snapshot, &rows(o)->ledger);
}

/* Whoever counts a batch adds its lines to the ledger, whoever acknowledges it
 * adds its payloads to the totals. */
static void
compare_totals(const struct audit *a, struct audit_queue *o)
{
	const struct queue_totals *t = &o->snapshot.totals;
	uint64_t counted = 0;
	struct id database;

	for (size_t i = 0; i < o->snapshot.n_batches; i++) {
		const struct snapshot_batch *b = &o->snapshot.batches[i];

		if (b->seq <= snapshot_seq(&rows(o)->ledger, &b->consumer))
			counted += b->length;
	}
	o->surplus =
	    (int64_t)(rows(o)->lines - counted) - t->base - t->acknowledged;
	o->missed = t->missed;
	o->compared = t->known &&
		      statements_database(counts_in(a, o), &database) == 0 &&
		      id_equal(&database, &t->database);
}

static void
merge_counted(struct audit_queue *o, const struct deadletter_tally *t)
{
	struct deadletter_tally counted = *t, invalid = {.messages = t->invalid,
						  .invalid = t->invalid};

	counted.messages -= t->invalid;
	counted.invalid = 0;
	deadletter_tally_merge(&o->counted, &counted);
	deadletter_tally_merge(&o->taken, &invalid);
}

enum audit_state
audit_settle(struct audit *a)
{
	enum audit_state state = AUDIT_DONE;

	for (size_t i = 0; i < a->n_queues && state == AUDIT_DONE; i++) {
		a->at = i;
		state = settle(a, &a->queues[i]);
	}
	return state;
}

static enum audit_state
settle(struct audit *a, struct audit_queue *o)
{
	int64_t base = o->snapshot.totals.base + o->surplus;
	struct id database;
	enum queue_state state = queue_sync_idle(o->q, a->wait_ms);

	if (state == QUEUE_IDLE) {
		if (o->run != queue_status(o->q)->run)
			return AUDIT_MOVING;
		if (statements_database(counts_in(a, o), &database) < 0 ||
		    queue_settle(o->q, &database, base, o->missed) < 0)
			return AUDIT_MEMORY;
		state = queue_sync_done(o->q, a->wait_ms);
	}
	if (state != QUEUE_DONE)
		return audit_queue_failed(state);
	return id_equal(&queue_identified(o->q)->database, &database) ||
		       (a->n_queues > 1 && !queue_identified(o->q)->noted)
		   ? AUDIT_DONE
		   : AUDIT_ELSEWHERE;
}

struct audit_table_sum
audit_table(const struct audit *a)
{
	struct audit_table_sum all = {0};

	for (size_t d = 0; d < a->n_databases; d++) {
		all.sum += a->databases[d].table;
		all.keys += a->databases[d].keys;
	}
	return all;
}

struct audit_queue
audit_queues(const struct audit *a)
{
	static const struct id nil;
	struct audit_queue all = {0};
	bool unknown = false;

	for (size_t i = 0; i < a->n_queues; i++) {
		const struct audit_queue *o = &a->queues[i];

		deadletter_tally_merge(&all.taken, &o->taken);
		deadletter_tally_merge(&all.counted, &o->counted);
		deadletter_tally_merge(&all.ready, &o->ready);
		deadletter_tally_merge(&all.rejected, &o->rejected);
		all.missed += o->missed;
		all.missing += o->missing;
		all.unknown += o->unknown;
		if (o->compared) {
			all.compared = true;
			all.surplus += o->surplus;
		} else if (!id_equal(&o->snapshot.totals.database, &nil)) {
			unknown = true;
		}
	}
	all.compared = all.compared && !unknown;
	return all;
}

struct deadletter_tally
audit_total(const struct audit *a)
{
	struct audit_queue all = audit_queues(a);
	struct deadletter_tally total = {.sum = audit_table(a).sum};

	deadletter_tally_merge(&total, &all.taken);
	deadletter_tally_merge(&total, &all.ready);
	deadletter_tally_merge(&total, &all.rejected);
	return total;
}
