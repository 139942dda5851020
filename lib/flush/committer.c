#include "flush/committer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "postgres/statements.h"

static enum ledger_news finish(struct ledger *l);
static enum ledger_news applied(struct ledger *l);
static enum ledger_news row_read(struct ledger *l);
static void copy_old(struct ledger *l);
static enum ledger_news begin(struct ledger *l);
static enum ledger_task next_task(const struct ledger *l);
static int begin_task(struct ledger *l, enum ledger_task task);
static void note_down(struct ledger *l, enum postgres_state state);

int
ledger_open(struct ledger *l, struct postgres *pg, const char *queue)
{
	*l = (struct ledger){.pg = pg,
	    .queue = queue,
	    .old = calloc(STORE_OLD_MAX, sizeof *l->old),
	    .down_ms = tick_ms()};
	pace_init(&l->pace);
	return l->old == NULL ? -1 : 0;
}

void
ledger_close(struct ledger *l)
{
	postgres_close(l->pg);
	free(l->old);
	*l = (struct ledger){0};
}

int64_t
ledger_wait(const struct ledger *l, struct pollfd *ret_pfd)
{
	int64_t due_ms = postgres_wait(l->pg, ret_pfd);

	return postgres_idle(l->pg) && next_task(l) != LEDGER_NO_TASK ? 0
								      : due_ms;
}

enum ledger_news
ledger_step(struct ledger *l, short revents)
{
	enum postgres_state state = postgres_step(l->pg, revents);
	enum ledger_news news = LEDGER_NOTHING;

	note_down(l, state);
	switch (state) {
	case POSTGRES_DOWN:
	case POSTGRES_CALLING: return LEDGER_NOTHING;
	case POSTGRES_FAULT: return LEDGER_FAULT;
	case POSTGRES_FAILED: l->task = LEDGER_NO_TASK; return LEDGER_NOTHING;
	case POSTGRES_DONE:
		news = finish(l);
		l->task = LEDGER_NO_TASK;
		break;
	case POSTGRES_IDLE: break;
	}
	return news == LEDGER_NOTHING ? begin(l) : news;
}

static enum ledger_news
finish(struct ledger *l)
{
	switch (l->task) {
	case LEDGER_NO_TASK: break;
	case LEDGER_APPLY: return applied(l);
	case LEDGER_READ_ROW: return row_read(l);
	case LEDGER_LOOK:
		l->looking = false;
		l->row = store_row(l->pg);
		POINT("flush-row");
		return LEDGER_ROW;
	case LEDGER_OLD:
		l->find_old = false;
		copy_old(l);
		return LEDGER_FOUND;
	case LEDGER_FORGET: l->forget = false; return LEDGER_FORGOTTEN;
	}
	return LEDGER_NOTHING;
}

static enum ledger_news
applied(struct ledger *l)
{
	if (!store_moved(l->pg)) {
		POINT("flush-unmoved");
		l->state = LEDGER_READ;
		return LEDGER_NOTHING;
	}
	l->took_us = tick_us() - l->started_us;
	pace_learn(&l->pace, l->window->sums.n, l->took_us);
	l->replayed = false;
	return LEDGER_COMMITTED;
}

static enum ledger_news
row_read(struct ledger *l)
{
	struct window *w = l->window;

	l->row = store_row(l->pg);
	switch (window_judge(w, l->row)) {
	case WINDOW_THERE:
		l->took_us = tick_us() - l->started_us;
		l->replayed = true;
		return LEDGER_COMMITTED;
	case WINDOW_LOST: return LEDGER_LOST;
	case WINDOW_PARTLY:
		if (!w->adopted)
			return LEDGER_PARTLY;
		if (window_trim(w, l->row) < 0)
			return LEDGER_MEMORY;
		sums_sort(&w->sums);
		break;
	case WINDOW_AGAIN: break;
	}
	l->state = LEDGER_SEND;
	return LEDGER_NOTHING;
}

static void
copy_old(struct ledger *l)
{
	l->old_n = 0;
	while (l->old_n < STORE_OLD_MAX &&
	       store_old_consumer(l->pg, l->old_n, &l->old[l->old_n]) == 0)
		l->old_n++;
}

static enum ledger_news
begin(struct ledger *l)
{
	enum ledger_task task = next_task(l);
	int64_t now_ms = tick_ms();

	if (task == LEDGER_NO_TASK || !postgres_idle(l->pg))
		return LEDGER_NOTHING;
	if (task == LEDGER_APPLY) {
		if (window_too_old(l->window, now_ms))
			return LEDGER_TOO_OLD;
		l->started_us = tick_us();
	}
	if (begin_task(l, task) < 0)
		return LEDGER_MEMORY;
	if (task == LEDGER_APPLY && l->window->sent_ms == 0)
		l->window->sent_ms = now_ms;
	l->task = task;
	return LEDGER_NOTHING;
}

static enum ledger_task
next_task(const struct ledger *l)
{
	switch (l->state) {
	case LEDGER_SEND: return LEDGER_APPLY;
	case LEDGER_READ: return LEDGER_READ_ROW;
	case LEDGER_REST: break;
	}
	if (l->looking)
		return LEDGER_LOOK;
	if (l->forget)
		return LEDGER_FORGET;
	return l->find_old ? LEDGER_OLD : LEDGER_NO_TASK;
}

static int
begin_task(struct ledger *l, enum ledger_task task)
{
	const struct window *w = l->window;

	switch (task) {
	case LEDGER_NO_TASK: break;
	case LEDGER_APPLY:
		return POINT_AFTER(
		    "flush-sent", store_apply(l->pg, &w->consumer, l->queue,
				      w->first, w->last, &w->sums));
	case LEDGER_READ_ROW: return store_read(l->pg, &w->consumer);
	case LEDGER_LOOK:
		return POINT_AFTER(
		    "flush-look-sent", store_read(l->pg, &l->look));
	case LEDGER_OLD: return store_old(l->pg, l->queue, &l->old_after);
	case LEDGER_FORGET: return store_forget(l->pg, l->old, l->old_n);
	}
	return 0;
}

/* An outage ends with an answer, or with nothing to be asked. */
static void
note_down(struct ledger *l, enum postgres_state state)
{
	bool over = state == POSTGRES_DONE ||
		    (state == POSTGRES_IDLE && next_task(l) == LEDGER_NO_TASK);

	if (over) {
		l->down_ms = 0;
		l->failed = false;
		return;
	}
	if (state != POSTGRES_DOWN && state != POSTGRES_FAILED)
		return;
	if (l->down_ms == 0)
		l->down_ms = tick_ms();
	if (postgres_why(l->pg) != NULL)
		l->failed = true;
}

void
ledger_commit(struct ledger *l, struct window *w)
{
	sums_sort(&w->sums);
	l->window = w;
	l->state = LEDGER_SEND;
	POINT("flush-closed");
}

struct window *
ledger_take(struct ledger *l)
{
	struct window *w = l->window;

	POINT("flush-committed");
	l->window = NULL;
	l->state = LEDGER_REST;
	return w;
}

void
ledger_look(struct ledger *l, const struct id *consumer)
{
	l->look = *consumer;
	l->looking = true;
}

void
ledger_find_old(struct ledger *l, const struct id *after)
{
	l->old_after = *after;
	l->find_old = true;
}

void
ledger_forget(struct ledger *l, const struct id *consumers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l->old[i] = consumers[i];
	l->old_n = n;
	l->forget = true;
}
