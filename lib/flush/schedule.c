/* Says when the window that fills must close. */
#include "flush/schedule.h"

#include "base/num.h"

static int64_t promised_ms(
    const struct window *w, const struct cost_model *cost);
static int64_t jitter(const struct schedule *s, int64_t open_ms);

void
schedule_promise(struct schedule *s)
{
	s->promises = s->interval_ms <= SCHEDULE_PROMISE_MS;
}

void
schedule_open(struct schedule *s, uint64_t noise)
{
	uint64_t most_ms = (uint64_t)s->interval_ms / 20;

	if (s->promises && !s->phased)
		most_ms = (uint64_t)s->interval_ms / 2;
	s->phased = true;
	s->jitter_ms = (int64_t)(noise % (most_ms + 1));
}

bool
schedule_full(const struct schedule *s, const struct window *w,
    const struct cost_model *cost)
{
	return window_size(w) >= s->max_keys ||
	       w->keysums.n >= schedule_keys(s, cost);
}

size_t
schedule_keys(const struct schedule *s, const struct cost_model *cost)
{
	return s->promises ? cost_model_keys(cost, SCHEDULE_STATEMENT_MS)
			   : cost_model_most(cost);
}

int64_t
schedule_due(const struct schedule *s, const struct window *w,
    const struct cost_model *cost)
{
	int64_t due_ms = w->opened_ms + s->interval_ms;

	if (schedule_full(s, w, cost))
		return 0;
	/* Whoever sets a longer interval gives the promise up. */
	if (w->oldest_ms != INT64_MAX && s->interval_ms <= SCHEDULE_PROMISE_MS)
		due_ms = num_min(due_ms, promised_ms(w, cost));
	return due_ms - jitter(s, due_ms - w->opened_ms);
}

/* Not all of a short time: a window of one line would help nobody. */
static int64_t
jitter(const struct schedule *s, int64_t open_ms)
{
	return open_ms < 0 ? 0 : num_min(s->jitter_ms, open_ms / 2);
}

static int64_t
promised_ms(const struct window *w, const struct cost_model *cost)
{
	return w->oldest_ms + SCHEDULE_PROMISE_MS - SCHEDULE_RECOVERY_MS -
	       SCHEDULE_STATEMENTS * cost_model_expected_ms(cost, w->keysums.n);
}

bool
schedule_at_risk(const struct schedule *s, const struct cost_model *cost)
{
	return s->promises &&
	       cost_model_steady_ms(cost) > SCHEDULE_STATEMENT_MS;
}
