/* Decides how long lines wait for Redis. */
#include "publish/wait_limit.h"

#include <stdbool.h>

#include "base/num.h"

void
wait_limit_try(struct wait_limit *w, int64_t now_ms)
{
	w->call_ms = now_ms;
}

void
wait_limit_fail(struct wait_limit *w)
{
	wait_limit_down(w, w->call_ms);
}

void
wait_limit_down(struct wait_limit *w, int64_t at_ms)
{
	if (w->outage_ms == 0)
		w->outage_ms = at_ms;
}

void
wait_limit_end(struct wait_limit *w)
{
	w->outage_ms = 0;
}

int64_t
wait_limit_arrival(const struct wait_limit *w, int64_t empty_ms, int64_t now_ms)
{
	if (w->outage_ms == 0)
		return now_ms;
	return empty_ms > w->outage_ms ? empty_ms : w->outage_ms;
}

/* Does the end of the outage's --wait hold for the oldest line? */
static bool
is_common(
    const struct wait_limit *w, enum wait_limit_how how, int64_t oldest_ms)
{
	if (w->outage_ms == 0)
		return false;
	switch (how) {
	case WAIT_LIMIT_OWN: break;
	case WAIT_LIMIT_REFUSED: return oldest_ms >= w->outage_ms + w->wait_ms;
	case WAIT_LIMIT_OUT: return true;
	}
	return false;
}

int64_t
wait_limit_ms(const struct wait_limit *w, enum wait_limit_how how,
    int64_t oldest_ms, int64_t now_ms)
{
	if (w->wait_ms == 0)
		return INT64_MIN;
	if (is_common(w, how, oldest_ms) && now_ms >= w->outage_ms + w->wait_ms)
		return now_ms;
	return now_ms - w->wait_ms;
}

int64_t
wait_limit_due(
    const struct wait_limit *w, enum wait_limit_how how, int64_t oldest_ms)
{
	if (w->wait_ms == 0 || oldest_ms == INT64_MAX)
		return INT64_MAX;
	return w->wait_ms + (is_common(w, how, oldest_ms)
				    ? num_min(oldest_ms, w->outage_ms)
				    : oldest_ms);
}
