/*
 * How long a statement is expected to take, after what others took.
 */
#include "check.h"
#include "flush/cost_model.h"

static struct cost_model p;

static void
learn(int times, size_t keys, int64_t took_ms)
{
	while (times-- > 0)
		cost_model_learn(&p, keys, took_ms * 1000);
}

static bool
near(int64_t ms, int64_t wanted_ms)
{
	return ms >= wanted_ms - wanted_ms / 20 - 1 &&
	       ms <= wanted_ms + wanted_ms / 20 + 1;
}

#define expect(keys, wanted_ms) \
	check(near(cost_model_expected_ms(&p, keys), wanted_ms), \
	    "%zu keys: %jd ms", (size_t)(keys), \
	    (intmax_t)cost_model_expected_ms(&p, keys))

static void
at_the_start(void)
{
	cost_model_init(&p);
	expect(1, 3000);
	expect(100000, 5500);
	learn(1, 10, 5);
	expect(10, 5); /* what is known is better than what was feared */
	expect(100000, 2505);
	check(cost_model_keys(&p, 10000) == COST_MODEL_UNKNOWN, "few say "
								"nothing");
	learn(20, 10000, 100);
	check(cost_model_keys(&p, 10000) > COST_MODEL_UNKNOWN, "known");
	cost_model_init(&p);
	check(cost_model_keys(&p, 2800) == COST_MODEL_UNKNOWN, "unknown");
	check(cost_model_keys(&p, 1000) == 40000, "less time");
	learn(1, 10, 7000);
	expect(10, 7000);
}

/* A lock, or a trigger: the same for any number of keys. */
static void
hindered(void)
{
	cost_model_init(&p);
	learn(20, 100000, 2000);
	expect(100000, 2500);
	learn(1, 100, 3000);
	expect(100, 3000);
	expect(100000, 5500);
	learn(3, 100000, 5000);
	check(cost_model_expected_ms(&p, 100000) >= 5000, "too quick");
	check(cost_model_keys(&p, 4000) > 80000, "a lock says little of keys");
	learn(1, 100, 3);
	check(cost_model_expected_ms(&p, 100) >= 1500, "not over at once");
	learn(20, 100, 3);
	expect(100, 10);
}

static void
keys(void)
{
	cost_model_init(&p);
	learn(1, 100000, 2000);
	learn(1, 100000, 4000);
	check(cost_model_expected_ms(&p, 100000) >= 4000, "at once");
	learn(20, 100000, 4000);
	expect(100000, 5000);
	expect(50000, 2500);
	check(cost_model_keys(&p, 5000) / 1000 == 100, "%zu",
	    cost_model_keys(&p, 5000));
	learn(1, 100000, 1000);
	check(cost_model_expected_ms(&p, 100000) > 3000, "faster by and by");
	learn(20, 100000, 1000);
	expect(100000, 1250);
	learn(20, 9000, 9);
	expect(100000, 1250); /* a few say nothing */
}

static void
bounds(void)
{
	cost_model_init(&p);
	learn(100, 10000, 300000);
	check(cost_model_keys(&p, 4000) >= 3000, "%zu",
	    cost_model_keys(&p, 4000));
	check(cost_model_expected_ms(&p, 10000) >= 300000, "as seen");
	learn(1, 0, 0);
	check(cost_model_expected_ms(&p, 0) < 300000, "none");
	cost_model_init(&p);
	learn(1000, 100000, 0);
	check(cost_model_keys(&p, 4000) > 1000000, "%zu",
	    cost_model_keys(&p, 4000));
}

int
main(void)
{
	at_the_start();
	hindered();
	keys();
	bounds();
	return check_end();
}
