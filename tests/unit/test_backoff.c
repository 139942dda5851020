/* Delays: doubled, bounded, never more than a quarter shorter. */
#include "base/backoff.h"
#include "check.h"

static void
series(struct backoff b, int64_t min, int64_t max)
{
	for (int round = 0; round < 2; round++) {
		int64_t full = min;

		for (int i = 0; i < 100; i++) {
			int64_t ms = backoff_next(&b);

			check(ms <= full && ms >= full - full / 4,
			    "%d. is %jd of %jd", i, (intmax_t)ms,
			    (intmax_t)full);
			full = 2 * full > max ? max : 2 * full;
		}
		backoff_reset(&b);
	}
}

int
main(void)
{
	series((struct backoff){0}, 50, 1000);
	series((struct backoff){.min_ms = 1, .max_ms = 30000}, 1, 30000);
	return check_end();
}
