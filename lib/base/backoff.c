/* Computes delays that double, less a random part. */
#include "base/backoff.h"

#include <stdlib.h>

enum { MIN_MS = 50, MAX_MS = 1000 };

int64_t
backoff_next(struct backoff *b)
{
	int64_t min = b->min_ms > 0 ? b->min_ms : MIN_MS;
	int64_t max = b->max_ms > 0 ? b->max_ms : MAX_MS;

	b->last_ms = b->last_ms == 0 ? min : 2 * b->last_ms;
	if (b->last_ms > max)
		b->last_ms = max;
	return b->last_ms -
	       (int64_t)arc4random_uniform((uint32_t)(b->last_ms / 4 + 1));
}

void
backoff_reset(struct backoff *b)
{
	b->last_ms = 0;
}
