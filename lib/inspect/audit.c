#include "inspect/audit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "inspect/list_cursor.h"
#include "inspect/queue_sync.h"
#include "postgres/statements.h"

static enum audit_state look(struct audit *a);
static enum audit_state survey(struct audit *a, struct snapshot *h);
static enum audit_state look_at_queue(struct audit *a);
static enum audit_state read_batches(struct audit *a);
static enum audit_state read_list(struct audit *a,
    const struct queue_list *list, uint64_t length,
    struct deadletter_tally *ret);
static enum audit_state add_hand(
    struct audit *a, struct list_cursor *w, struct deadletter_tally *t);
static enum audit_state of_redis(enum queue_state state);
static enum audit_state look_at_table(struct audit *a);
static enum audit_state ask_postgres(struct audit *a);
static enum audit_state copy_ledger(struct audit *a);
static void sort_out(struct audit *a);

enum audit_state
audit_run(struct audit *a)
{
	enum audit_state state = look_at_table(a);

	for (int i = 0; i < AUDIT_ROUNDS && state == AUDIT_DONE; i++) {
		state = look(a);
		if (state != AUDIT_MOVING)
			return state;
		state = look_at_table(a);
	}
	return state == AUDIT_DONE ? AUDIT_MOVING : state;
}

void
audit_free(struct audit *a)
{
	snapshot_free(&a->holdings);
	free(a->earlier.list);
	free(a->ledger.list);
	buf_free(&a->scratch);
}

/* One round.  The queue first, then the table, at once: the less time is
 * between them, the less moves. */
static enum audit_state
look(struct audit *a)
{
	static const struct queue_list rejected = {.kind = QUEUE_REJECTED};
	enum audit_state state = look_at_queue(a);

	if (state != AUDIT_DONE)
		return state;
	FAILPOINT("audit-read");
	state = look_at_table(a);
	if (state != AUDIT_DONE)
		return state;
	if (!snapshot_precede(&a->holdings, &a->earlier, &a->ledger))
		return AUDIT_MOVING;
	sort_out(a);
	return read_list(a, &rejected, a->holdings.rejected, &a->rejected);
}

/* -- Redis ---------------------------------------------------------------- */

static enum audit_state
look_at_queue(struct audit *a)
{
	static const struct queue_list ready = {.kind = QUEUE_READY};
	struct snapshot after = {0};
	enum audit_state state = survey(a, &a->holdings);

	FAILPOINT("audit-surveyed");
	if (state == AUDIT_DONE)
		state = read_batches(a);
	if (state == AUDIT_DONE)
		state = read_list(a, &ready, a->holdings.ready, &a->ready);
	if (state == AUDIT_DONE)
		state = survey(a, &after);
	if (state == AUDIT_DONE && !snapshot_rest(&a->holdings, &after))
		state = AUDIT_MOVING;
	snapshot_free(&after);
	return state;
}

static enum audit_state
survey(struct audit *a, struct snapshot *h)
{
	enum queue_state state = queue_sync_idle(a->q, a->wait_ms);

	if (state == QUEUE_IDLE) {
		if (queue_survey(a->q) < 0)
			return AUDIT_MEMORY;
		state = queue_sync_done(a->q, a->wait_ms);
	}
	if (state != QUEUE_DONE)
		return of_redis(state);
	return snapshot_take(h, a->q) < 0 ? AUDIT_MEMORY : AUDIT_DONE;
}

/* Those that are not known from an earlier round. */
static enum audit_state
read_batches(struct audit *a)
{
	for (size_t i = 0; i < a->holdings.n_batches; i++) {
		struct snapshot_batch *b = &a->holdings.batches[i];
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

/* The `length` oldest payloads, or it has moved. */
static enum audit_state
read_list(struct audit *a, const struct queue_list *list, uint64_t length,
    struct deadletter_tally *ret)
{
	struct list_cursor w = {.q = a->q,
	    .wait_ms = a->wait_ms,
	    .list = *list,
	    .max = QUEUE_PEEK_MAX - 1};
	enum audit_state state = AUDIT_DONE;
	enum queue_state why;
	struct deadletter_tally t = {0};
	bool more = true;

	list_cursor_start(&w, length);
	while (more && state == AUDIT_DONE) {
		switch (list_cursor_step(&w, &why)) {
		case LIST_CURSOR_HAND: state = add_hand(a, &w, &t); break;
		case LIST_CURSOR_END: more = false; break;
		case LIST_CURSOR_SHIFTED: state = AUDIT_MOVING; break;
		case LIST_CURSOR_FAILED: state = of_redis(why); break;
		}
	}
	if (state == AUDIT_DONE && w.end != length)
		state = AUDIT_MOVING;
	list_cursor_free(&w);
	*ret = t;
	return state;
}

static enum audit_state
add_hand(struct audit *a, struct list_cursor *w, struct deadletter_tally *t)
{
	for (size_t i = 0; i < w->n; i++) {
		size_t len;
		const char *payload = list_cursor_payload(w, i, &len);

		if (deadletter_tally_add(t, a->key, &a->scratch, payload, len) <
		    0)
			return AUDIT_MEMORY;
	}
	return list_cursor_pass(w, w->n, w->n - 1) < 0 ? AUDIT_MEMORY
						       : AUDIT_DONE;
}

static enum audit_state
of_redis(enum queue_state state)
{
	if (state == QUEUE_FAULT)
		return AUDIT_REDIS_FAULT;
	return state == QUEUE_IDLE ? AUDIT_MEMORY : AUDIT_REDIS;
}

/* -- Postgres ------------------------------------------------------------- */

static enum audit_state
look_at_table(struct audit *a)
{
	enum audit_state state = ask_postgres(a);

	if (state != AUDIT_DONE)
		return state;
	if (statements_audited(a->pg, &a->table, &a->keys) < 0)
		return AUDIT_NO_NUMBER;
	return copy_ledger(a);
}

/* The statement is repeated until it is answered, or none can be sent. */
static enum audit_state
ask_postgres(struct audit *a)
{
	int64_t deadline_ms = clock_ms() + a->wait_ms, due_ms;
	struct pollfd pfd;

	for (;;) {
		due_ms = postgres_wait(a->pg, &pfd);
		if (postgres_idle(a->pg)) {
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

/* What was known of the ledger is the earlier one then. */
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

static void
sort_out(struct audit *a)
{
	a->taken = a->counted = (struct deadletter_tally){0};
	for (size_t i = 0; i < a->holdings.n_batches; i++) {
		const struct snapshot_batch *b = &a->holdings.batches[i];

		if (b->seq > snapshot_seq(&a->ledger, &b->consumer))
			deadletter_tally_merge(&a->taken, &b->tally);
		else
			deadletter_tally_merge(&a->counted, &b->tally);
	}
	a->missing = snapshot_missing(&a->holdings, &a->ledger);
}
