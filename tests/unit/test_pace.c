/* modules: pace; libs: */
/*
 * How long a statement is expected to take, after what others took.
 */
#include "check.h"
#include "pace.h"

static struct pace p;

static void
learn(int times, size_t keys, int64_t took_ms)
{
	while (times-- > 0)
		pace_learn(&p, keys, took_ms * 1000);
}

static bool
near(int64_t ms, int64_t wanted_ms)
{
	return ms >= wanted_ms - wanted_ms / 20 - 1 &&
	       ms <= wanted_ms + wanted_ms / 20 + 1;
}

#define expect(keys, wanted_ms) \
	check(near(pace_expected_ms(&p, keys), wanted_ms), "%zu keys: %jd ms", \
	    (size_t)(keys), (intmax_t)pace_expected_ms(&p, keys))

static void
at_the_start(void)
{
	pace_init(&p);
	expect(1, 3000);
	expect(100000, 5000);
	learn(1, 10, 5);
	expect(10, 5); /* what is known is better than what was feared */
	expect(100000, 2005);
	pace_init(&p);
	learn(1, 10, 7000);
	expect(10, 7000);
}

/* A lock, or a trigger: the same for any number of keys. */
static void
hindered(void)
{
	pace_init(&p);
	learn(1, 100000, 1000);
	expect(100000, 1000);
	learn(1, 100, 3000);
	expect(100, 3000);
	expect(100000, 4000);
	learn(1, 50000, 3500);
	expect(50000, 3500);
	check(pace_keys(&p, 4000) > 300000, "a lock says nothing of keys");
	learn(1, 100, 3);
	expect(100, 2250);
	learn(20, 100, 3);
	expect(100, 10);
}

/* A key costs more: the larger the windows the later they are. */
static void
slower_keys(void)
{
	pace_init(&p);
	learn(1, 100000, 1000);
	learn(1, 100000, 4000);
	expect(100000, 4000);
	learn(20, 100000, 4000);
	expect(100000, 4000);
	expect(50000, 2000);
	check(pace_keys(&p, 4000) / 1000 == 100, "%zu", pace_keys(&p, 4000));
	learn(1, 100000, 500);
	check(pace_keys(&p, 4000) / 1000 == 800, "%zu", pace_keys(&p, 4000));
}

static void
bounds(void)
{
	pace_init(&p);
	learn(100, 1000, 300000);
	check(pace_keys(&p, 4000) >= 4000, "%zu", pace_keys(&p, 4000));
	expect(1000, 300000);
	learn(1, 0, 0);
	check(pace_expected_ms(&p, 0) < 300000, "none");
}

int
main(void)
{
	at_the_start();
	hindered();
	slower_keys();
	bounds();
	return check_end();
}
