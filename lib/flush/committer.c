/* Commits windows in Postgres, and reads and deletes ledger rows. */
#include "flush/committer.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/reason.h"

/* So often may a row that stands where it must not move.  No other session
 * locks it for long: the consumer is our own. */
enum { UNMOVED_MAX = 3 };

static enum committer_news finish(
    struct committer *c, enum committer_task task);
static enum committer_news finish_apply(struct committer *c);
static enum committer_news finish_read_row(struct committer *c);
static enum committer_news begin(struct committer *c);
static bool is_elsewhere(const struct committer *c);
static int call(struct committer *c, enum committer_task task);

void
committer_open(struct committer *c, struct postgres *pg, const char *queue)
{
	*c = (struct committer){.pg = pg, .queue = queue};
	task_queue_init(&c->tasks, clock_ms());
	cost_model_init(&c->cost);
}

void
committer_close(struct committer *c)
{
	postgres_close(c->pg);
	*c = (struct committer){0};
}

int64_t
committer_wait(const struct committer *c, struct pollfd *ret_pfd)
{
	int64_t due_ms = postgres_wait(c->pg, ret_pfd);

	return task_queue_due(
	    &c->tasks, postgres_status(c->pg)->idle, due_ms, clock_ms());
}

enum committer_news
committer_step(struct committer *c, short revents)
{
	enum postgres_state state = postgres_step(c->pg, revents);
	enum committer_news news;
	unsigned task;

	if (state == POSTGRES_FAULT)
		return COMMITTER_FAULT;
	task = task_queue_step(&c->tasks, committer_link(state),
	    postgres_status(c->pg)->why[0] != '\0', clock_ms());
	news = finish(c, task);
	return news == COMMITTER_NOTHING ? begin(c) : news;
}

enum task_queue_link
committer_link(enum postgres_state state)
{
	switch (state) {
	case POSTGRES_DOWN:
	case POSTGRES_FAULT: break;
	case POSTGRES_IDLE: return TASK_QUEUE_IDLE;
	case POSTGRES_CALLING: return TASK_QUEUE_CALLING;
	case POSTGRES_DONE: return TASK_QUEUE_DONE;
	case POSTGRES_FAILED: return TASK_QUEUE_LOST;
	}
	return TASK_QUEUE_DOWN;
}

/* Reads the result of the task that was done. */
static enum committer_news
finish(struct committer *c, enum committer_task task)
{
	task_queue_remove(&c->tasks, task);
	switch (task) {
	case COMMITTER_NO_TASK: break;
	case COMMITTER_APPLY: return finish_apply(c);
	case COMMITTER_READ_ROW: return finish_read_row(c);
	case COMMITTER_LOOK:
		if (statements_elsewhere(c->pg))
			return COMMITTER_ELSEWHERE;
		c->row = statements_row(c->pg);
		c->waiting_ms = 0;
		return COMMITTER_ROW;
	case COMMITTER_ROWS: return COMMITTER_ROWS_READ;
	case COMMITTER_FORGET: return COMMITTER_FORGOTTEN;
	case COMMITTER_FIND_OLD:
		statements_old_found(c->pg, &c->old);
		return COMMITTER_FOUND;
	case COMMITTER_SUM:
		c->ledger.known = statements_summed(c->pg, &c->ledger.rows,
				      &c->ledger.lines) == 0;
		c->summed = postgres_status(c->pg)->connections;
		return COMMITTER_SUMMED;
	}
	return COMMITTER_NOTHING;
}

static enum committer_news
finish_apply(struct committer *c)
{
	if (statements_elsewhere(c->pg))
		return COMMITTER_ELSEWHERE;
	if (!statements_moved(c->pg)) {
		FAILPOINT("flush-unmoved");
		task_queue_add(&c->tasks, COMMITTER_READ_ROW);
		return COMMITTER_NOTHING;
	}
	postgres_prove(c->pg);
	c->took_us = clock_us() - c->started_us;
	cost_model_learn(&c->cost, c->window->keysums.n, c->took_us);
	c->replayed = false;
	return COMMITTER_COMMITTED;
}

static enum committer_news
finish_read_row(struct committer *c)
{
	struct window *w = c->window;

	if (statements_elsewhere(c->pg))
		return COMMITTER_ELSEWHERE;
	c->row = statements_row(c->pg);
	switch (window_judge(w, c->row)) {
	case WINDOW_THERE:
		c->took_us = clock_us() - c->started_us;
		c->replayed = true;
		return COMMITTER_COMMITTED;
	case WINDOW_LOST:
		if (!w->plain || w->of_file)
			return COMMITTER_LOST;
		c->lost += w->base - c->row;
		w->base = c->row;
		break;
	case WINDOW_PARTLY: return COMMITTER_PARTLY;
	case WINDOW_AGAIN:
		/* Once, it may have been moved and moved back in between. */
		if (++c->unmoved >= UNMOVED_MAX)
			return postgres_is_proven(c->pg)
				   ? COMMITTER_HIDDEN_LATER
				   : COMMITTER_HIDDEN;
		break;
	}
	task_queue_add(&c->tasks, COMMITTER_APPLY);
	return COMMITTER_NOTHING;
}

/* Begins the next task, if the connection is idle. */
static enum committer_news
begin(struct committer *c)
{
	int64_t now_ms = clock_ms();
	enum committer_task task;

	if (!postgres_status(c->pg)->idle)
		return COMMITTER_NOTHING;
	if (is_elsewhere(c))
		return COMMITTER_ELSEWHERE;
	task = task_queue_next(&c->tasks, now_ms);
	if (task == COMMITTER_APPLY) {
		if (window_too_old(c->window, now_ms))
			return COMMITTER_TOO_OLD;
		c->started_us = clock_us();
	}
	if (call(c, task) < 0)
		return COMMITTER_MEMORY;
	if (task == COMMITTER_APPLY && c->window->sent_ms == 0)
		c->window->sent_ms = now_ms;
	task_queue_begin(&c->tasks, task);
	return COMMITTER_NOTHING;
}

/* A pooler or a failover may lead to another database. */
static bool
is_elsewhere(const struct committer *c)
{
	struct id id;

	return c->bound && (statements_database(c->pg, &id) < 0 ||
			       !id_equal(&id, &c->database));
}

void
committer_hold(struct committer *c)
{
	c->tasks.held = true;
	c->tasks.exempt = COMMITTER_SUM;
}

void
committer_bind(struct committer *c, const struct id *database)
{
	c->tasks.held = false;
	c->bound = true;
	c->database = *database;
}

static int
call(struct committer *c, enum committer_task task)
{
	const struct window *w = c->window;
	const struct id *database = c->bound ? &c->database : NULL;
	struct statements_batches b;

	switch (task) {
	case COMMITTER_NO_TASK: break;
	case COMMITTER_APPLY:
		b = (struct statements_batches){
		    w->base + 1, w->last, window_lines(w)};
		return FAILPOINT_AFTER(
		    "flush-sent", statements_apply(c->pg, &w->consumer,
				      c->queue, &b, database, &w->keysums));
	case COMMITTER_READ_ROW:
		return statements_read(c->pg, &w->consumer, c->queue, database);
	case COMMITTER_LOOK:
		return statements_read(c->pg, &c->look_for, c->queue, database);
	case COMMITTER_ROWS:
		return statements_read_all(
		    c->pg, c->rows_of, c->n_rows, &c->database);
	case COMMITTER_FORGET: return statements_forget(c->pg, &c->old);
	case COMMITTER_FIND_OLD:
		return statements_find_old(c->pg, c->queue, &c->old_after);
	case COMMITTER_SUM: return statements_sum(c->pg, c->queue);
	}
	return 0;
}

void
committer_explain(const struct committer *c, enum committer_news news,
    char ret_why[REASON_MAX])
{
	const struct window *w = c->window;
	char consumer[ID_TEXT + 1];

	switch (news) {
	case COMMITTER_NOTHING:
	case COMMITTER_COMMITTED:
	case COMMITTER_ROW:
	case COMMITTER_ROWS_READ:
	case COMMITTER_FOUND:
	case COMMITTER_SUMMED:
	case COMMITTER_FORGOTTEN: break;
	case COMMITTER_PARTLY:
		reason_set(ret_why,
		    "window: another process counted batches %" PRIu64
		    " to %" PRIu64 "; %" PRIu64 " to %" PRIu64 " not committed",
		    w->first, c->row, w->first, w->last);
		break;
	case COMMITTER_LOST:
		reason_set(ret_why,
		    "ledger: went back to batch %" PRIu64 "; %" PRIu64
		    " to %" PRIu64 " not committed",
		    c->row, w->first, w->last);
		break;
	case COMMITTER_TOO_OLD:
		reason_set(ret_why, "window: older than a day; not committed");
		break;
	case COMMITTER_HIDDEN:
	case COMMITTER_HIDDEN_LATER:
		id_format(&w->consumer, consumer);
		reason_set(ret_why,
		    "ledger: the row of consumer %s does not move; is there a "
		    "policy or a trigger on incr_ledger?",
		    consumer);
		break;
	case COMMITTER_ELSEWHERE:
		id_format(&c->database, consumer);
		reason_set(ret_why,
		    "postgres: this is no longer database %s; not committed",
		    consumer);
		break;
	case COMMITTER_MEMORY: reason_set(ret_why, LOG_NO_MEMORY); break;
	case COMMITTER_FAULT:
		reason_set(
		    ret_why, "postgres: %s", postgres_status(c->pg)->why);
		break;
	}
}

int
committer_status(enum committer_news news)
{
	switch (news) {
	case COMMITTER_NOTHING:
	case COMMITTER_COMMITTED:
	case COMMITTER_ROW:
	case COMMITTER_ROWS_READ:
	case COMMITTER_FOUND:
	case COMMITTER_SUMMED:
	case COMMITTER_FORGOTTEN: break;
	case COMMITTER_PARTLY:
	case COMMITTER_LOST:
	case COMMITTER_TOO_OLD:
	case COMMITTER_ELSEWHERE:
	case COMMITTER_HIDDEN_LATER:
	case COMMITTER_MEMORY: return EXIT_TEMPFAIL;
	case COMMITTER_HIDDEN:
	case COMMITTER_FAULT: return EXIT_CONFIG;
	}
	return 0;
}

bool
committer_stalled(const struct committer *c, int64_t now_ms)
{
	size_t keys = c->window == NULL ? 0 : c->window->keysums.n;

	return c->waiting_ms != 0 &&
	       now_ms - c->waiting_ms > cost_model_expected_ms(&c->cost, keys) +
					    COMMITTER_PATIENCE_MS;
}

bool
committer_idle(const struct committer *c)
{
	return c->window == NULL;
}

void
committer_commit(struct committer *c, struct window *w)
{
	keysums_sort(&w->keysums);
	c->window = w;
	c->unmoved = 0;
	c->waiting_ms = clock_ms();
	task_queue_add(&c->tasks, COMMITTER_APPLY);
	FAILPOINT("flush-closed");
}

struct window *
committer_take(struct committer *c)
{
	struct window *w = c->window;

	FAILPOINT("flush-committed");
	c->window = NULL;
	c->waiting_ms = 0;
	return w;
}

void
committer_look(struct committer *c, const struct id *consumer)
{
	c->look_for = *consumer;
	c->waiting_ms = clock_ms();
	task_queue_add(&c->tasks, COMMITTER_LOOK);
}

void
committer_rows(struct committer *c, const struct id *consumers, size_t n)
{
	c->rows_of = consumers;
	c->n_rows = n;
	task_queue_add(&c->tasks, COMMITTER_ROWS);
}

void
committer_sum(struct committer *c)
{
	task_queue_add(&c->tasks, COMMITTER_SUM);
}

void
committer_find_old(struct committer *c, const struct id *after)
{
	c->old_after = *after;
	task_queue_add(&c->tasks, COMMITTER_FIND_OLD);
}

void
committer_forget(struct committer *c, const struct statements_old *old)
{
	c->old = *old;
	task_queue_add(&c->tasks, COMMITTER_FORGET);
}
