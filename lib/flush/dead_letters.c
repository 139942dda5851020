/* Says how many messages have become dead letters, once a minute at most. */
#include "flush/dead_letters.h"

bool
dead_letters_news(struct dead_letters *d, uint64_t n, bool last,
    const char *queue, int64_t now_ms, char ret_why[REASON_MAX])
{
	uint64_t more = n - d->said;

	if (more == 0 || (!last && d->since_ms != 0 &&
			     now_ms < d->since_ms + DEAD_LETTERS_REST_MS))
		return false;
	d->said = n;
	d->since_ms = now_ms;
	reason_set(ret_why,
	    "queue %s: %ju new dead letter%s; see incr-rejected list", queue,
	    (uintmax_t)more, more == 1 ? "" : "s");
	return true;
}
