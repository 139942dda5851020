/* Backs off from a service that takes nothing, for a limited time. */
#include "send/retry.h"

bool
retry_failed(struct retry *r, int64_t now_ms, int64_t retry_after_ms)
{
	int64_t delay_ms;

	if (!r->outage)
		r->end_ms = now_ms + r->wait_ms;
	r->outage = true;
	/* Those that were sent together count as one failure. */
	if (now_ms >= r->resume_ms) {
		delay_ms = backoff_next(&r->backoff);
		if (delay_ms < retry_after_ms)
			delay_ms = retry_after_ms;
		if (delay_ms > r->wait_ms)
			delay_ms = r->wait_ms;
		r->resume_ms = now_ms + delay_ms;
	}
	return now_ms < r->end_ms;
}

void
retry_over(struct retry *r)
{
	r->outage = false;
	backoff_reset(&r->backoff);
}

bool
retry_try(const struct retry *r, int64_t now_ms)
{
	return now_ms >= r->resume_ms;
}

bool
retry_hopeless(const struct retry *r, int64_t now_ms)
{
	return r->outage && now_ms >= r->end_ms && now_ms < r->resume_ms;
}

int64_t
retry_due(const struct retry *r, int64_t now_ms)
{
	int64_t due_ms = INT64_MAX;

	if (r->resume_ms > now_ms)
		due_ms = r->resume_ms;
	if (r->outage && r->end_ms > now_ms && r->end_ms < due_ms)
		due_ms = r->end_ms;
	return due_ms;
}
