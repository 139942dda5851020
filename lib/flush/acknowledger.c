#include "flush/acknowledger.h"

#include "base/clock.h"
#include "base/failpoint.h"

static enum claims_news finish(struct claims *c);
static void begin(struct claims *c);
static enum claims_task next_task(const struct claims *c);
static int begin_task(struct claims *c, enum claims_task task);
static bool holds_anything(const struct claims *c);
static bool holds(const struct window *w);
static void start_round(struct claims *c);
static void hold(struct claims *c, const struct id *consumer,
    const struct id *self, int64_t opened_ms, int64_t now_ms);
static void note_down(struct claims *c, enum queue_state state);

void
claims_open(struct claims *c, struct queue *q, const struct window windows[2],
    int64_t max_age_ms)
{
	*c = (struct claims){.q = q,
	    .windows = {&windows[0], &windows[1]},
	    .max_age_ms = max_age_ms,
	    .down_ms = tick_ms()};
}

void
claims_close(struct claims *c)
{
	queue_close(c->q);
	receipts_free(&c->receipts);
	c->q = NULL;
}

int64_t
claims_wait(const struct claims *c, struct pollfd *ret_pfd)
{
	int64_t due_ms = queue_wait(c->q, ret_pfd), now_ms = tick_ms();

	if (!queue_idle(c->q))
		return due_ms;
	if (next_task(c) != CLAIMS_NO_TASK)
		return 0;
	/* Also renewals wait: a round that is due would wake us for nothing. */
	if (c->pause_ms > now_ms)
		return c->pause_ms < due_ms ? c->pause_ms : due_ms;
	if (holds_anything(c) && c->round_ms < due_ms)
		due_ms = c->round_ms;
	return due_ms;
}

static bool
holds_anything(const struct claims *c)
{
	return c->receipts.n > 0 || holds(c->windows[0]) ||
	       holds(c->windows[1]);
}

static bool
holds(const struct window *w)
{
	return w->open && !w->plain && w->first > 0;
}

enum claims_news
claims_step(struct claims *c, short revents)
{
	enum queue_state state = queue_step(c->q, revents);
	enum claims_news news = CLAIMS_NOTHING;

	note_down(c, state);
	switch (state) {
	case QUEUE_DOWN:
	case QUEUE_CALLING: return CLAIMS_NOTHING;
	case QUEUE_FAULT: return CLAIMS_FAULT;
	case QUEUE_LOST: c->task = CLAIMS_NO_TASK; return CLAIMS_NOTHING;
	case QUEUE_REFUSED:
		c->pause_ms = tick_ms() + backoff_next(&c->backoff);
		c->task = CLAIMS_NO_TASK;
		break;
	case QUEUE_DONE:
		backoff_reset(&c->backoff);
		news = finish(c);
		c->task = CLAIMS_NO_TASK;
		break;
	case QUEUE_IDLE: break;
	}
	begin(c);
	return news;
}

static enum claims_news
finish(struct claims *c)
{
	switch (c->task) {
	case CLAIMS_NO_TASK: break;
	case CLAIMS_RENEW: POINT("flush-renewed"); break;
	case CLAIMS_ACKNOWLEDGE:
		POINT("flush-acknowledged");
		receipts_done(&c->receipts, &c->part);
		break;
	case CLAIMS_ASK:
		c->asking = false;
		c->registered = queue_registered(c->q);
		return CLAIMS_ANSWER;
	}
	return CLAIMS_NOTHING;
}

static void
begin(struct claims *c)
{
	enum claims_task task;

	if (!queue_idle(c->q))
		return;
	if (c->renewing == c->n_held && tick_ms() >= c->round_ms &&
	    holds_anything(c))
		start_round(c);
	task = next_task(c);
	/* Memory that is gone now may be there a little later. */
	if (task != CLAIMS_NO_TASK && begin_task(c, task) < 0)
		c->pause_ms = tick_ms() + backoff_next(&c->backoff);
	else
		c->task = task;
}

static enum claims_task
next_task(const struct claims *c)
{
	if (tick_ms() < c->pause_ms)
		return CLAIMS_NO_TASK;
	if (c->receipts.n > 0)
		return CLAIMS_ACKNOWLEDGE;
	if (c->renewing < c->n_held)
		return CLAIMS_RENEW;
	return c->asking ? CLAIMS_ASK : CLAIMS_NO_TASK;
}

static int
begin_task(struct claims *c, enum claims_task task)
{
	const struct claims_held *h = &c->held[c->renewing];

	switch (task) {
	case CLAIMS_NO_TASK: break;
	case CLAIMS_ACKNOWLEDGE:
		receipts_part(&c->receipts, &c->part);
		return POINT_AFTER("flush-acknowledge-sent",
		    queue_acknowledge(c->q, c->part.consumer, c->part.seqs,
			c->part.n, c->part.rejects, c->part.n_rejects));
	case CLAIMS_RENEW:
		c->renewing++;
		return POINT_AFTER("flush-renew-sent",
		    queue_renew(c->q, &h->self, &h->consumer, 1, true));
	case CLAIMS_ASK:
		return POINT_AFTER(
		    "flush-ask-sent", queue_ask(c->q, &c->asked));
	}
	return 0;
}

/* Whoever is listed keeps its batches for another QUEUE_OWNER_MS. */
static void
start_round(struct claims *c)
{
	int64_t now_ms = tick_ms();

	c->n_held = c->renewing = 0;
	c->round_ms = now_ms + CLAIMS_RENEW_MS;
	for (size_t i = 0; i < 2; i++)
		if (holds(c->windows[i]))
			hold(c, &c->windows[i]->consumer, &c->windows[i]->self,
			    c->windows[i]->opened_ms, now_ms);
	for (size_t i = 0; i < c->receipts.n; i++) {
		const struct receipt *r = receipts_at(&c->receipts, i);

		hold(c, &r->consumer, &r->self, r->opened_ms, now_ms);
	}
}

static void
hold(struct claims *c, const struct id *consumer, const struct id *self,
    int64_t opened_ms, int64_t now_ms)
{
	if (c->n_held == CLAIMS_HELD_MAX || now_ms - opened_ms > c->max_age_ms)
		return;
	for (size_t i = 0; i < c->n_held; i++)
		if (id_equal(&c->held[i].consumer, consumer))
			return;
	c->held[c->n_held++] = (struct claims_held){*consumer, *self};
}

void
claims_ask(struct claims *c, const struct id *consumer)
{
	c->asked = *consumer;
	c->asking = true;
}

/* An outage ends with an answer, or with nothing to be asked. */
static void
note_down(struct claims *c, enum queue_state state)
{
	switch (state) {
	case QUEUE_DOWN:
	case QUEUE_REFUSED:
	case QUEUE_LOST:
		if (c->down_ms == 0)
			c->down_ms = tick_ms();
		if (*queue_why(c->q) != '\0')
			c->failed = true;
		return;
	case QUEUE_IDLE:
		if (next_task(c) != CLAIMS_NO_TASK || tick_ms() < c->pause_ms)
			return;
		break;
	case QUEUE_DONE: break;
	case QUEUE_CALLING:
	case QUEUE_FAULT: return;
	}
	c->down_ms = 0;
	c->failed = false;
}
