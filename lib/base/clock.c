/* Reads the clocks. */
#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t clock);

int64_t
clock_ms(void)
{
	return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t
clock_us(void)
{
	return read_us(CLOCK_BOOTTIME);
}

int64_t
clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_unix_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

static int64_t
read_us(clockid_t clock)
{
	struct timespec t;

	/* Can fail only for a clock that the kernel does not have. */
	if (clock_gettime(clock, &t) < 0)
		return 0;
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

bool
clock_paused(int64_t *last_ms)
{
	int64_t now_ms = clock_ms(), before_ms = *last_ms;

	*last_ms = now_ms;
	return before_ms != 0 && now_ms - before_ms > CLOCK_WEEK_MS;
}
