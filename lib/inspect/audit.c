/* Reads queue, table and ledger until all of one moment is known. */
#include "inspect/audit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "inspect/list_cursor.h"
#include "inspect/queue_sync.h"
#include "postgres/statements.h"

static enum audit_state run_once(struct audit *a);
static enum audit_state survey(struct audit *a, struct snapshot *s);
static enum audit_state read_queue(struct audit *a);
static enum audit_state read_batches(struct audit *a);
static enum audit_state read_list(struct audit *a,
    const struct queue_list *list, uint64_t length,
    struct deadletter_tally *ret);
static enum audit_state add_page(
    struct audit *a, struct list_cursor *c, struct deadletter_tally *t);
static enum audit_state of_redis(enum queue_state state);
static enum audit_state read_table(struct audit *a);
static enum audit_state ask_postgres(struct audit *a);
static enum audit_state copy_ledger(struct audit *a);
static void divide_batches(struct audit *a);

enum audit_state
audit_run(struct audit *a)
{
	enum audit_state state = read_table(a);

	for (int i = 0; i < AUDIT_ROUNDS && state == AUDIT_DONE; i++) {
		state = run_once(a);
		if (state != AUDIT_MOVING)
			return state;
		state = read_table(a);
	}
	return state == AUDIT_DONE ? AUDIT_MOVING : state;
}

void
audit_free(struct audit *a)
{
	snapshot_free(&a->snapshot);
	free(a->earlier.list);
	free(a->ledger.list);
	buf_free(&a->scratch);
}

/* One round.  The table is read right after the queue: the less time is
 * between them, the less moves. */
static enum audit_state
run_once(struct audit *a)
{
	static const struct queue_list rejected = {.kind = QUEUE_REJECTED};
	enum audit_state state = read_queue(a);

	if (state != AUDIT_DONE)
		return state;
	FAILPOINT("audit-read");
	state = read_table(a);
	if (state != AUDIT_DONE)
		return state;
	if (!snapshot_fits_ledger(&a->snapshot, &a->earlier, &a->ledger))
		return AUDIT_MOVING;
	divide_batches(a);
	return read_list(a, &rejected, a->snapshot.rejected, &a->rejected);
}

/* -- Redis ---------------------------------------------------------------- */

static enum audit_state
read_queue(struct audit *a)
{
	static const struct queue_list ready = {.kind = QUEUE_READY};
	struct snapshot after = {0};
	enum audit_state state = survey(a, &a->snapshot);

	FAILPOINT("audit-surveyed");
	if (state == AUDIT_DONE)
		state = read_batches(a);
	if (state == AUDIT_DONE)
		state = read_list(a, &ready, a->snapshot.ready, &a->ready);
	if (state == AUDIT_DONE)
		state = survey(a, &after);
	if (state == AUDIT_DONE && !snapshot_is_stable(&a->snapshot, &after))
		state = AUDIT_MOVING;
	snapshot_free(&after);
	return state;
}

static enum audit_state
survey(struct audit *a, struct snapshot *s)
{
	enum queue_state state = queue_sync_idle(a->q, a->wait_ms);

	if (state == QUEUE_IDLE) {
		if (queue_survey(a->q) < 0)
			return AUDIT_MEMORY;
		state = queue_sync_done(a->q, a->wait_ms);
	}
	if (state != QUEUE_DONE)
		return of_redis(state);
	return snapshot_take(s, a->q) < 0 ? AUDIT_MEMORY : AUDIT_DONE;
}

/* Reads the batches that are not known from an earlier round. */
static enum audit_state
read_batches(struct audit *a)
{
	for (size_t i = 0; i < a->snapshot.n_batches; i++) {
		struct snapshot_batch *b = &a->snapshot.batches[i];
		struct queue_list list = {.kind = QUEUE_BATCH,
		    .consumer = b->consumer,
		    .seq = b->seq};
		enum audit_state state;

		if (b->known)
			continue;
		state = read_list(a, &list, b->length, &b->tally);
		if (state != AUDIT_DONE)
			return state;
		b->known = true;
	}
	return AUDIT_DONE;
}

/* Tallies the `length` oldest payloads; AUDIT_MOVING if they are fewer. */
static enum audit_state
read_list(struct audit *a, const struct queue_list *list, uint64_t length,
    struct deadletter_tally *ret)
{
	struct list_cursor c = {.q = a->q,
	    .wait_ms = a->wait_ms,
	    .list = *list,
	    .max = QUEUE_PEEK_MAX - 1};
	enum audit_state state = AUDIT_DONE;
	enum queue_state why;
	struct deadletter_tally t = {0};
	bool more = true;

	list_cursor_start(&c, length);
	while (more && state == AUDIT_DONE) {
		switch (list_cursor_step(&c, &why)) {
		case LIST_CURSOR_PAGE: state = add_page(a, &c, &t); break;
		case LIST_CURSOR_END: more = false; break;
		case LIST_CURSOR_SHIFTED: state = AUDIT_MOVING; break;
		case LIST_CURSOR_FAILED: state = of_redis(why); break;
		case LIST_CURSOR_MEMORY: state = AUDIT_MEMORY; break;
		}
	}
	if (state == AUDIT_DONE && c.end != length)
		state = AUDIT_MOVING;
	list_cursor_free(&c);
	*ret = t;
	return state;
}

static enum audit_state
add_page(struct audit *a, struct list_cursor *c, struct deadletter_tally *t)
{
	for (size_t i = 0; i < c->n; i++) {
		size_t len;
		const char *payload = list_cursor_payload(c, i, &len);

		if (deadletter_tally_add(t, a->key, &a->scratch, payload, len) <
		    0)
			return AUDIT_MEMORY;
	}
	return list_cursor_advance(c, c->n, c->n - 1) < 0 ? AUDIT_MEMORY
							  : AUDIT_DONE;
}

static enum audit_state
of_redis(enum queue_state state)
{
	return state == QUEUE_FAULT ? AUDIT_REDIS_FAULT : AUDIT_REDIS;
}

/* -- Postgres ------------------------------------------------------------- */

static enum audit_state
read_table(struct audit *a)
{
	enum audit_state state = ask_postgres(a);

	if (state != AUDIT_DONE)
		return state;
	if (statements_audited(a->pg, &a->table, &a->keys) < 0)
		return AUDIT_NO_NUMBER;
	return copy_ledger(a);
}

/* Repeats the statement until it is answered, for wait_ms. */
static enum audit_state
ask_postgres(struct audit *a)
{
	int64_t deadline_ms = clock_ms() + a->wait_ms, due_ms;
	struct pollfd pfd;

	for (;;) {
		due_ms = postgres_wait(a->pg, &pfd);
		if (postgres_status(a->pg)->idle) {
			if (statements_audit(a->pg, a->queue, a->key) < 0)
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

/* Batches up to the one in the ledger are in the table. */
static void
divide_batches(struct audit *a)
{
	a->taken = a->counted = (struct deadletter_tally){0};
	for (size_t i = 0; i < a->snapshot.n_batches; i++) {
		const struct snapshot_batch *b = &a->snapshot.batches[i];

		if (b->seq > snapshot_seq(&a->ledger, &b->consumer))
			deadletter_tally_merge(&a->taken, &b->tally);
		else
			deadletter_tally_merge(&a->counted, &b->tally);
	}
	a->missing = snapshot_missing(&a->snapshot, &a->ledger);
}
