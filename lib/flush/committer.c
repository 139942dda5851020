#include "flush/committer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "postgres/statements.h"

static enum committer_news finish(struct committer *l);
static enum committer_news applied(struct committer *l);
static enum committer_news row_read(struct committer *l);
static void copy_old(struct committer *l);
static enum committer_news begin(struct committer *l);
static enum committer_task next_task(const struct committer *l);
static int begin_task(struct committer *l, enum committer_task task);
static void note_down(struct committer *l, enum postgres_state state);

int
committer_open(struct committer *l, struct postgres *pg, const char *queue)
{
	*l = (struct committer){.pg = pg,
	    .queue = queue,
	    .old = calloc(STATEMENTS_OLD_MAX, sizeof *l->old),
	    .down_ms = clock_ms()};
	cost_model_init(&l->cost);
	return l->old == NULL ? -1 : 0;
}

void
committer_close(struct committer *l)
{
	postgres_close(l->pg);
	free(l->old);
	*l = (struct committer){0};
}

int64_t
committer_wait(const struct committer *l, struct pollfd *ret_pfd)
{
	int64_t due_ms = postgres_wait(l->pg, ret_pfd);

	return postgres_idle(l->pg) && next_task(l) != COMMITTER_NO_TASK
		   ? 0
		   : due_ms;
}

enum committer_news
committer_step(struct committer *l, short revents)
{
	enum postgres_state state = postgres_step(l->pg, revents);
	enum committer_news news = COMMITTER_NOTHING;

	note_down(l, state);
	switch (state) {
	case POSTGRES_DOWN:
	case POSTGRES_CALLING: return COMMITTER_NOTHING;
	case POSTGRES_FAULT: return COMMITTER_FAULT;
	case POSTGRES_FAILED:
		l->task = COMMITTER_NO_TASK;
		return COMMITTER_NOTHING;
	case POSTGRES_DONE:
		news = finish(l);
		l->task = COMMITTER_NO_TASK;
		break;
	case POSTGRES_IDLE: break;
	}
	return news == COMMITTER_NOTHING ? begin(l) : news;
}

static enum committer_news
finish(struct committer *l)
{
	switch (l->task) {
	case COMMITTER_NO_TASK: break;
	case COMMITTER_APPLY: return applied(l);
	case COMMITTER_READ_ROW: return row_read(l);
	case COMMITTER_LOOK:
		l->looking = false;
		l->row = statements_row(l->pg);
		FAILPOINT("flush-row");
		return COMMITTER_ROW;
	case COMMITTER_OLD:
		l->find_old = false;
		copy_old(l);
		return COMMITTER_FOUND;
	case COMMITTER_FORGET: l->forget = false; return COMMITTER_FORGOTTEN;
	}
	return COMMITTER_NOTHING;
}

static enum committer_news
applied(struct committer *l)
{
	if (!statements_moved(l->pg)) {
		FAILPOINT("flush-unmoved");
		l->state = COMMITTER_READ;
		return COMMITTER_NOTHING;
	}
	l->took_us = clock_us() - l->started_us;
	cost_model_learn(&l->cost, l->window->keysums.n, l->took_us);
	l->replayed = false;
	return COMMITTER_COMMITTED;
}

static enum committer_news
row_read(struct committer *l)
{
	struct window *w = l->window;

	l->row = statements_row(l->pg);
	switch (window_judge(w, l->row)) {
	case WINDOW_THERE:
		l->took_us = clock_us() - l->started_us;
		l->replayed = true;
		return COMMITTER_COMMITTED;
	case WINDOW_LOST: return COMMITTER_LOST;
	case WINDOW_PARTLY:
		if (!w->adopted)
			return COMMITTER_PARTLY;
		if (window_trim(w, l->row) < 0)
			return COMMITTER_MEMORY;
		keysums_sort(&w->keysums);
		break;
	case WINDOW_AGAIN: break;
	}
	l->state = COMMITTER_SEND;
	return COMMITTER_NOTHING;
}

static void
copy_old(struct committer *l)
{
	l->old_n = 0;
	while (l->old_n < STATEMENTS_OLD_MAX &&
	       statements_old_consumer(l->pg, l->old_n, &l->old[l->old_n]) == 0)
		l->old_n++;
}

static enum committer_news
begin(struct committer *l)
{
	enum committer_task task = next_task(l);
	int64_t now_ms = clock_ms();

	if (task == COMMITTER_NO_TASK || !postgres_idle(l->pg))
		return COMMITTER_NOTHING;
	if (task == COMMITTER_APPLY) {
		if (window_too_old(l->window, now_ms))
			return COMMITTER_TOO_OLD;
		l->started_us = clock_us();
	}
	if (begin_task(l, task) < 0)
		return COMMITTER_MEMORY;
	if (task == COMMITTER_APPLY && l->window->sent_ms == 0)
		l->window->sent_ms = now_ms;
	l->task = task;
	return COMMITTER_NOTHING;
}

static enum committer_task
next_task(const struct committer *l)
{
	switch (l->state) {
	case COMMITTER_SEND: return COMMITTER_APPLY;
	case COMMITTER_READ: return COMMITTER_READ_ROW;
	case COMMITTER_REST: break;
	}
	if (l->looking)
		return COMMITTER_LOOK;
	if (l->forget)
		return COMMITTER_FORGET;
	return l->find_old ? COMMITTER_OLD : COMMITTER_NO_TASK;
}

static int
begin_task(struct committer *l, enum committer_task task)
{
	const struct window *w = l->window;

	switch (task) {
	case COMMITTER_NO_TASK: break;
	case COMMITTER_APPLY:
		return FAILPOINT_AFTER("flush-sent",
		    statements_apply(l->pg, &w->consumer, l->queue, w->first,
			w->last, &w->keysums));
	case COMMITTER_READ_ROW: return statements_read(l->pg, &w->consumer);
	case COMMITTER_LOOK:
		return FAILPOINT_AFTER(
		    "flush-look-sent", statements_read(l->pg, &l->look));
	case COMMITTER_OLD:
		return statements_old(l->pg, l->queue, &l->old_after);
	case COMMITTER_FORGET:
		return statements_forget(l->pg, l->old, l->old_n);
	}
	return 0;
}

/* An outage ends with an answer, or with nothing to be asked. */
static void
note_down(struct committer *l, enum postgres_state state)
{
	bool over =
	    state == POSTGRES_DONE ||
	    (state == POSTGRES_IDLE && next_task(l) == COMMITTER_NO_TASK);

	if (over) {
		l->down_ms = 0;
		l->failed = false;
		return;
	}
	if (state != POSTGRES_DOWN && state != POSTGRES_FAILED)
		return;
	if (l->down_ms == 0)
		l->down_ms = clock_ms();
	if (postgres_why(l->pg) != NULL)
		l->failed = true;
}

void
committer_commit(struct committer *l, struct window *w)
{
	keysums_sort(&w->keysums);
	l->window = w;
	l->state = COMMITTER_SEND;
	FAILPOINT("flush-closed");
}

struct window *
committer_take(struct committer *l)
{
	struct window *w = l->window;

	FAILPOINT("flush-committed");
	l->window = NULL;
	l->state = COMMITTER_REST;
	return w;
}

void
committer_look(struct committer *l, const struct id *consumer)
{
	l->look = *consumer;
	l->looking = true;
}

void
committer_find_old(struct committer *l, const struct id *after)
{
	l->old_after = *after;
	l->find_old = true;
}

void
committer_forget(struct committer *l, const struct id *consumers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l->old[i] = consumers[i];
	l->old_n = n;
	l->forget = true;
}
