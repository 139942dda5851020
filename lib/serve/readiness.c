/* Limits the messages about /health/ready. */
#include "serve/readiness.h"

bool
readiness_asked(struct readiness *r, bool ready, int64_t now_ms)
{
	if (ready)
		r->since_ms = 0;
	else if (r->since_ms == 0)
		r->since_ms = now_ms;
	if (ready || now_ms < r->since_ms + READINESS_SAY_MS ||
	    now_ms < r->next_ms)
		return false;
	r->next_ms = now_ms + READINESS_AGAIN_MS;
	return true;
}
