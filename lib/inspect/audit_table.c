/* Reads table and ledger of each database in one statement, for an audit. */
#include "inspect/audit_table.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "postgres/audit_statement.h"

enum { KEYS_A_MS = 50 }; /* 3 to 8 us a key were measured */

static enum audit_state read_one(
    struct audit *a, struct audit_database *d, struct expectation *e);
static enum audit_state ask_postgres(
    struct audit *a, struct postgres *pg, const struct expectation *e);
static int call_postgres(
    struct audit *a, struct postgres *pg, const struct expectation *e);
static enum audit_state copy_sums(struct audit *a, struct audit_database *d);
static void begin_ledgers(struct audit *a);
static int size_ledgers(struct audit *a, const struct postgres *pg);
static enum audit_state copy_ledger(
    struct audit *a, const struct postgres *pg, size_t *ret_rows);
static enum audit_state copy_counts(
    const struct postgres *pg, size_t rows, struct expectation *e);

enum audit_state
audit_table_read(struct audit *a, struct expectation *e)
{
	enum audit_state state = AUDIT_DONE;
	u128 all = 0;

	if (e != NULL)
		expectation_forget_table(e);
	for (size_t i = 0; i < a->n_databases && state == AUDIT_DONE; i++) {
		a->at_database = i;
		state = read_one(a, &a->databases[i], e);
		all += a->databases[i].table;
		if (all < a->databases[i].table)
			return AUDIT_NO_NUMBER;
	}
	return state;
}

static enum audit_state
read_one(struct audit *a, struct audit_database *d, struct expectation *e)
{
	enum audit_state state = ask_postgres(a, d->pg, e);
	size_t rows = 0;

	if (state == AUDIT_DONE)
		state = copy_sums(a, d);
	if (state == AUDIT_DONE)
		state = copy_ledger(a, d->pg, &rows);
	return state == AUDIT_DONE && e != NULL ? copy_counts(d->pg, rows, e)
						: state;
}

/* Repeats the statement until it is answered, for wait_ms, and as long as the
 * counts of so many keys may take. */
static enum audit_state
ask_postgres(struct audit *a, struct postgres *pg, const struct expectation *e)
{
	int64_t deadline_ms = clock_ms() + a->wait_ms, due_ms;
	struct pollfd pfd;

	if (e != NULL)
		deadline_ms += (int64_t)(e->n / KEYS_A_MS);
	for (;;) {
		due_ms = postgres_wait(pg, &pfd);
		if (postgres_status(pg)->idle) {
			if (call_postgres(a, pg, e) < 0)
				return AUDIT_MEMORY;
			due_ms = postgres_wait(pg, &pfd);
		}
		if (pfd.fd < 0 && deadline_ms < due_ms)
			due_ms = deadline_ms;
		if (io_poll(&pfd, 1, due_ms) < 0)
			pfd.revents = 0;
		switch (postgres_step(pg, pfd.revents)) {
		case POSTGRES_DONE: return AUDIT_DONE;
		case POSTGRES_FAULT: return AUDIT_POSTGRES_FAULT;
		case POSTGRES_CALLING: continue;
		case POSTGRES_DOWN:
		case POSTGRES_FAILED:
		case POSTGRES_IDLE: break;
		}
		if (clock_ms() >= deadline_ms)
			return AUDIT_POSTGRES;
	}
}

static int
call_postgres(struct audit *a, struct postgres *pg, const struct expectation *e)
{
	return e == NULL ? audit_statement_call(pg, a->names, a->key)
			 : audit_statement_call_keys(pg, a->names,
			       &e->keys->key, sizeof *e->keys, e->n);
}

static enum audit_state
copy_sums(struct audit *a, struct audit_database *d)
{
	struct audit_statement_sums sums;
	uint64_t *lines = calloc(a->n_queues, sizeof *lines);
	int result;

	if (lines == NULL)
		return AUDIT_MEMORY;
	result = audit_statement_sums(d->pg, &sums, lines, a->n_queues);
	for (size_t i = 0; i < a->n_queues && result == 0; i++)
		a->queues[i].rows[a->at_database].lines = lines[i];
	free(lines);
	if (result < 0)
		return AUDIT_NO_NUMBER;
	d->table = sums.sum;
	d->keys = sums.keys;
	return AUDIT_DONE;
}

/* Of a queue that is read again, the ledger that was read last is the earlier
 * one then. */
static void
begin_ledgers(struct audit *a)
{
	for (size_t i = 0; i < a->n_queues; i++) {
		struct audit_rows *r = &a->queues[i].rows[a->at_database];

		if (a->queues[i].settled) {
			free(r->ledger.list);
		} else {
			free(r->earlier.list);
			r->earlier = r->ledger;
		}
		r->ledger = (struct snapshot_rows){0};
	}
}

/* Makes the lists of the ledgers as long as they get. */
static int
size_ledgers(struct audit *a, const struct postgres *pg)
{
	struct snapshot_row row;
	struct snapshot_rows *l;
	size_t queue, n = 0;

	for (; audit_statement_row(pg, n, &queue, &row.consumer, &row.seq) == 0;
	     n++)
		if (queue < a->n_queues)
			a->queues[queue].rows[a->at_database].ledger.n++;
	for (size_t i = 0; i < a->n_queues; i++) {
		l = &a->queues[i].rows[a->at_database].ledger;
		l->list = calloc(l->n + 1, sizeof *l->list);
		l->n = 0;
		if (l->list == NULL)
			return -1;
	}
	return 0;
}

static enum audit_state
copy_ledger(struct audit *a, const struct postgres *pg, size_t *ret_rows)
{
	struct snapshot_row row;
	struct snapshot_rows *l;
	size_t queue, n = 0;

	begin_ledgers(a);
	if (size_ledgers(a, pg) < 0)
		return AUDIT_MEMORY;
	for (; audit_statement_row(pg, n, &queue, &row.consumer, &row.seq) == 0;
	     n++) {
		if (queue >= a->n_queues)
			return AUDIT_NO_NUMBER;
		l = &a->queues[queue].rows[a->at_database].ledger;
		l->list[l->n++] = row;
	}
	for (size_t i = 0; i < a->n_queues; i++)
		snapshot_sort(&a->queues[i].rows[a->at_database].ledger);
	*ret_rows = n;
	return AUDIT_DONE;
}

static enum audit_state
copy_counts(const struct postgres *pg, size_t rows, struct expectation *e)
{
	struct id key;
	u128 count;

	for (size_t i = rows;; i++)
		switch (audit_statement_count(pg, i, &key, &count)) {
		case AUDIT_STATEMENT_COUNT:
			expectation_add_counted(e, &key, count);
			break;
		case AUDIT_STATEMENT_NO_COUNT: return AUDIT_DONE;
		case AUDIT_STATEMENT_NO_NUMBER: return AUDIT_NO_NUMBER;
		}
}
