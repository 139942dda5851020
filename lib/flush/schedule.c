#include "flush/schedule.h"

void
schedule_promise(struct schedule *s)
{
	s->promises = s->interval_ms <= WINDOW_PROMISE_MS;
}

void
schedule_open(struct schedule *s, const struct window *w, uint64_t noise)
{
	uint64_t most_ms = (uint64_t)s->interval_ms / 20;

	if (w->adopted)
		return;
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
	       (s->promises && w->keysums.n >= cost_model_keys(cost,
						   SCHEDULE_STATEMENT_MS));
}

int64_t
schedule_due(const struct schedule *s, const struct window *w,
    const struct cost_model *cost)
{
	if (schedule_full(s, w, cost))
		return 0;
	return window_due(w, s->interval_ms, s->jitter_ms,
	    cost_model_expected_ms(cost, w->keysums.n));
}
