#include "flush/acknowledger.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/num.h"

static enum acknowledger_news finish(struct acknowledger *c);
static void begin(struct acknowledger *c);
static enum acknowledger_task next_task(const struct acknowledger *c);
static int begin_task(struct acknowledger *c, enum acknowledger_task task);
static bool holds_anything(const struct acknowledger *c);
static bool holds(const struct window *w);
static void start_round(struct acknowledger *c);
static void hold(struct acknowledger *c, const struct id *consumer,
    const struct id *self, int64_t opened_ms, int64_t now_ms);
static void note_down(struct acknowledger *c, enum queue_state state);

void
acknowledger_open(struct acknowledger *c, struct queue *q,
    const struct window windows[2], int64_t max_age_ms)
{
	*c = (struct acknowledger){.q = q,
	    .windows = {&windows[0], &windows[1]},
	    .max_age_ms = max_age_ms,
	    .down_ms = clock_ms()};
}

void
acknowledger_close(struct acknowledger *c)
{
	queue_close(c->q);
	ack_queue_free(&c->acks);
	c->q = NULL;
}

int64_t
acknowledger_wait(const struct acknowledger *c, struct pollfd *ret_pfd)
{
	int64_t due_ms = queue_wait(c->q, ret_pfd), now_ms = clock_ms();

	if (!queue_status(c->q)->idle)
		return due_ms;
	if (next_task(c) != ACKNOWLEDGER_NO_TASK)
		return 0;
	/* Also renewals wait: a round that is due would wake us for nothing. */
	if (c->pause_ms > now_ms)
		return num_min(c->pause_ms, due_ms);
	if (holds_anything(c) && c->round_ms < due_ms)
		due_ms = c->round_ms;
	return due_ms;
}

static bool
holds_anything(const struct acknowledger *c)
{
	return c->acks.n > 0 || holds(c->windows[0]) || holds(c->windows[1]);
}

static bool
holds(const struct window *w)
{
	return w->open && !w->plain && w->first > 0;
}

enum acknowledger_news
acknowledger_step(struct acknowledger *c, short revents)
{
	enum queue_state state = queue_step(c->q, revents);
	enum acknowledger_news news = ACKNOWLEDGER_NOTHING;

	note_down(c, state);
	switch (state) {
	case QUEUE_DOWN:
	case QUEUE_CALLING: return ACKNOWLEDGER_NOTHING;
	case QUEUE_FAULT: return ACKNOWLEDGER_FAULT;
	case QUEUE_LOST:
		c->task = ACKNOWLEDGER_NO_TASK;
		return ACKNOWLEDGER_NOTHING;
	case QUEUE_REFUSED:
		c->pause_ms = clock_ms() + backoff_next(&c->backoff);
		c->task = ACKNOWLEDGER_NO_TASK;
		break;
	case QUEUE_DONE:
		backoff_reset(&c->backoff);
		news = finish(c);
		c->task = ACKNOWLEDGER_NO_TASK;
		break;
	case QUEUE_IDLE: break;
	}
	begin(c);
	return news;
}

static enum acknowledger_news
finish(struct acknowledger *c)
{
	switch (c->task) {
	case ACKNOWLEDGER_NO_TASK: break;
	case ACKNOWLEDGER_RENEW: FAILPOINT("flush-renewed"); break;
	case ACKNOWLEDGER_ACKNOWLEDGE:
		FAILPOINT("flush-acknowledged");
		ack_queue_done(&c->acks, &c->part);
		break;
	case ACKNOWLEDGER_ASK:
		c->asking = false;
		c->registered = queue_asked(c->q)->registered;
		return ACKNOWLEDGER_ANSWER;
	}
	return ACKNOWLEDGER_NOTHING;
}

static void
begin(struct acknowledger *c)
{
	enum acknowledger_task task;

	if (!queue_status(c->q)->idle)
		return;
	if (c->renewing == c->n_held && clock_ms() >= c->round_ms &&
	    holds_anything(c))
		start_round(c);
	task = next_task(c);
	/* Memory that is gone now may be there a little later. */
	if (task != ACKNOWLEDGER_NO_TASK && begin_task(c, task) < 0)
		c->pause_ms = clock_ms() + backoff_next(&c->backoff);
	else
		c->task = task;
}

static enum acknowledger_task
next_task(const struct acknowledger *c)
{
	if (clock_ms() < c->pause_ms)
		return ACKNOWLEDGER_NO_TASK;
	if (c->acks.n > 0)
		return ACKNOWLEDGER_ACKNOWLEDGE;
	if (c->renewing < c->n_held)
		return ACKNOWLEDGER_RENEW;
	return c->asking ? ACKNOWLEDGER_ASK : ACKNOWLEDGER_NO_TASK;
}

static int
begin_task(struct acknowledger *c, enum acknowledger_task task)
{
	const struct acknowledger_held *h = &c->held[c->renewing];

	switch (task) {
	case ACKNOWLEDGER_NO_TASK: break;
	case ACKNOWLEDGER_ACKNOWLEDGE:
		ack_queue_part(&c->acks, &c->part);
		return FAILPOINT_AFTER("flush-acknowledge-sent",
		    queue_acknowledge(c->q, c->part.consumer, c->part.seqs,
			c->part.n, c->part.rejects, c->part.n_rejects));
	case ACKNOWLEDGER_RENEW:
		c->renewing++;
		return FAILPOINT_AFTER("flush-renew-sent",
		    queue_renew(c->q, &h->self, &h->consumer, 1, true));
	case ACKNOWLEDGER_ASK:
		return FAILPOINT_AFTER(
		    "flush-ask-sent", queue_ask(c->q, &c->asked));
	}
	return 0;
}

/* Whoever is listed keeps its batches for another QUEUE_OWNER_MS. */
static void
start_round(struct acknowledger *c)
{
	int64_t now_ms = clock_ms();

	c->n_held = c->renewing = 0;
	c->round_ms = now_ms + ACKNOWLEDGER_RENEW_MS;
	for (size_t i = 0; i < 2; i++)
		if (holds(c->windows[i]))
			hold(c, &c->windows[i]->consumer, &c->windows[i]->self,
			    c->windows[i]->opened_ms, now_ms);
	for (size_t i = 0; i < c->acks.n; i++) {
		const struct ack *r = ack_queue_at(&c->acks, i);

		hold(c, &r->consumer, &r->self, r->opened_ms, now_ms);
	}
}

static void
hold(struct acknowledger *c, const struct id *consumer, const struct id *self,
    int64_t opened_ms, int64_t now_ms)
{
	if (c->n_held == ACKNOWLEDGER_HELD_MAX ||
	    now_ms - opened_ms > c->max_age_ms)
		return;
	for (size_t i = 0; i < c->n_held; i++)
		if (id_equal(&c->held[i].consumer, consumer))
			return;
	c->held[c->n_held++] = (struct acknowledger_held){*consumer, *self};
}

void
acknowledger_ask(struct acknowledger *c, const struct id *consumer)
{
	c->asked = *consumer;
	c->asking = true;
}

/* An outage ends with an answer, or with nothing to be asked. */
static void
note_down(struct acknowledger *c, enum queue_state state)
{
	switch (state) {
	case QUEUE_DOWN:
	case QUEUE_REFUSED:
	case QUEUE_LOST:
		if (c->down_ms == 0)
			c->down_ms = clock_ms();
		if (*queue_status(c->q)->why != '\0')
			c->failed = true;
		return;
	case QUEUE_IDLE:
		if (next_task(c) != ACKNOWLEDGER_NO_TASK ||
		    clock_ms() < c->pause_ms)
			return;
		break;
	case QUEUE_DONE: break;
	case QUEUE_CALLING:
	case QUEUE_FAULT: return;
	}
	c->down_ms = 0;
	c->failed = false;
}
