/* Reads the table and the ledger in one statement, for an audit. */
#include "inspect/audit_table.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "postgres/statements.h"

enum { KEYS_A_MS = 50 }; /* 3 to 8 us a key were measured */

static enum audit_state ask_postgres(
    struct audit *a, const struct expectation *e);
static int call_postgres(struct audit *a, const struct expectation *e);
static enum audit_state copy_ledger(struct audit *a);
static enum audit_state copy_counts(struct audit *a, struct expectation *e);

enum audit_state
audit_table_read(struct audit *a, struct expectation *e)
{
	struct statements_sums sums;
	enum audit_state state = ask_postgres(a, e);

	if (state != AUDIT_DONE)
		return state;
	if (statements_audited(a->pg, &sums) < 0)
		return AUDIT_NO_NUMBER;
	a->table = sums.sum;
	a->keys = sums.keys;
	a->lines = sums.lines;
	state = copy_ledger(a);
	return state == AUDIT_DONE && e != NULL ? copy_counts(a, e) : state;
}

/* Repeats the statement until it is answered, for wait_ms, and as long as the
 * counts of so many keys may take. */
static enum audit_state
ask_postgres(struct audit *a, const struct expectation *e)
{
	int64_t deadline_ms = clock_ms() + a->wait_ms, due_ms;
	struct pollfd pfd;

	if (e != NULL)
		deadline_ms += (int64_t)(e->n / KEYS_A_MS);
	for (;;) {
		due_ms = postgres_wait(a->pg, &pfd);
		if (postgres_status(a->pg)->idle) {
			if (call_postgres(a, e) < 0)
				return AUDIT_MEMORY;
			due_ms = postgres_wait(a->pg, &pfd);
		}
		if (pfd.fd < 0 && deadline_ms < due_ms)
			due_ms = deadline_ms;
		if (io_poll(&pfd, 1, due_ms) < 0)
			pfd.revents = 0;
		switch (postgres_step(a->pg, pfd.revents)) {
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
call_postgres(struct audit *a, const struct expectation *e)
{
	return e == NULL ? statements_audit(a->pg, a->queue, a->key)
			 : statements_audit_keys(a->pg, a->queue, &e->keys->key,
			       sizeof *e->keys, e->n);
}

static enum audit_state
copy_counts(struct audit *a, struct expectation *e)
{
	struct id key;
	u128 count;

	expectation_forget_table(e);
	for (size_t i = a->ledger.n;; i++)
		switch (statements_audited_count(a->pg, i, &key, &count)) {
		case STATEMENTS_COUNT:
			expectation_set_counted(e, &key, count);
			break;
		case STATEMENTS_NO_COUNT: return AUDIT_DONE;
		case STATEMENTS_NO_NUMBER: return AUDIT_NO_NUMBER;
		}
}

/* The ledger that was read last is the earlier one then. */
static enum audit_state
copy_ledger(struct audit *a)
{
	struct snapshot_row row;
	size_t rows = postgres_rows(a->pg);

	free(a->earlier.list);
	a->earlier = a->ledger;
	a->ledger = (struct snapshot_rows){
	    .list = calloc(rows, sizeof *a->ledger.list)};
	if (a->ledger.list == NULL)
		return AUDIT_MEMORY;
	while (statements_audited_row(
		   a->pg, a->ledger.n, &row.consumer, &row.seq) == 0)
		a->ledger.list[a->ledger.n++] = row;
	snapshot_sort(&a->ledger);
	return AUDIT_DONE;
}
