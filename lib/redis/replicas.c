/* Writes WAIT, and judges its reply. */
#include "redis/replicas.h"

#include <stdio.h>

int
replicas_ask(struct replicas *r, uint64_t n, int64_t wait_ms, int64_t now_us,
    struct buf *out)
{
	buf_clear(out);
	r->n = n;
	r->wait_ms = wait_ms;
	r->asked_us = now_us;
	return buf_addf(
	    out, "WAIT %ju %jd\r\n", (uintmax_t)n, (intmax_t)wait_ms);
}

/* Fewer before the time is over is no answer of a Redis that has waited: asked
 * again at once it would answer so again. */
enum replicas_answer
replicas_judge(struct replicas *r, const char *error, int64_t have,
    int64_t now_us, char ret_why[REASON_MAX])
{
	int64_t asked_ms = r->asked_us / 1000, now_ms = now_us / 1000;

	if (error != NULL || have < 0) {
		reason_set(
		    ret_why, "WAIT: %s", error == NULL ? "no number" : error);
		return REPLICAS_LOST;
	}
	if ((uint64_t)have >= r->n) {
		r->short_ms = 0;
		return REPLICAS_HAVE_IT;
	}
	reason_set(ret_why, "%jd of %ju replicas confirmed (--replicas)",
	    (intmax_t)have, (uintmax_t)r->n);
	if (r->short_ms == 0)
		r->short_ms = asked_ms;
	return now_ms < r->short_ms + REPLICAS_SHORT_MS &&
		       now_ms >= asked_ms + r->wait_ms / 2
		   ? REPLICAS_FEWER
		   : REPLICAS_LOST;
}
