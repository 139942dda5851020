#include "send/retry.h"

bool
retry_failed(struct retry *o, int64_t now_ms, int64_t retry_after_ms)
{
	int64_t delay_ms;

	if (!o->on)
		o->end_ms = now_ms + o->wait_ms;
	o->on = true;
	/* Those that were sent together count as one failure. */
	if (now_ms >= o->resume_ms) {
		delay_ms = backoff_next(&o->backoff);
		if (delay_ms < retry_after_ms)
			delay_ms = retry_after_ms;
		if (delay_ms > o->wait_ms)
			delay_ms = o->wait_ms;
		o->resume_ms = now_ms + delay_ms;
	}
	return now_ms < o->end_ms;
}

void
retry_over(struct retry *o)
{
	o->on = false;
	backoff_reset(&o->backoff);
}

bool
retry_try(const struct retry *o, int64_t now_ms)
{
	return now_ms >= o->resume_ms;
}

bool
retry_hopeless(const struct retry *o, int64_t now_ms)
{
	return o->on && now_ms >= o->end_ms && now_ms < o->resume_ms;
}

int64_t
retry_due(const struct retry *o, int64_t now_ms)
{
	int64_t due_ms = INT64_MAX;

	if (o->resume_ms > now_ms)
		due_ms = o->resume_ms;
	if (o->on && o->end_ms > now_ms && o->end_ms < due_ms)
		due_ms = o->end_ms;
	return due_ms;
}
