/*
 * When windows close: after the interval, in time for the promise, the first
 * apart from those of others, one that is full at once.
 */
#include "check.h"
#include "flush/schedule.h"
#include "queue/queue.h"

enum {
	T = 1000000,   /* a clock_ms() */
	LOOK_MS = 300, /* from one look for orphans to the next */
	LEFT = SCHEDULE_PROMISE_MS - SCHEDULE_RECOVERY_MS
};

static const struct id A = {{0xa}};
static struct window w;
static struct cost_model cost;

static struct schedule
with(int64_t interval_ms)
{
	struct schedule s = {.interval_ms = interval_ms, .max_keys = 1000000};

	schedule_promise(&s);
	return s;
}

static void
jitter(void)
{
	struct schedule s = with(9000), plain = {.interval_ms = 9000};

	schedule_open(&s, 4000);
	check(s.jitter_ms == 4000, "the first: up to half an interval");
	schedule_open(&s, 4000);
	check(s.jitter_ms == 4000 % 451, "then a twentieth");
	schedule_open(&s, UINT64_MAX);
	check(s.jitter_ms >= 0 && s.jitter_ms <= 450, "any noise");
	schedule_open(&plain, 4000);
	check(plain.jitter_ms == 4000 % 451, "plain input has no promise");
	s = with(10001);
	check(!s.promises, "nor has a long interval");
}

static int64_t
due(int64_t interval_ms, int64_t jitter_ms, int64_t expected_ms)
{
	const struct schedule s = {.interval_ms = interval_ms,
	    .max_keys = 1000000,
	    .jitter_ms = jitter_ms};
	const struct cost_model c = {.base_us = (double)expected_ms * 1000};

	return schedule_due(&s, &w, &c) - T;
}

static void
closing(void)
{
	struct batch b = {0};

	window_open_plain(&w, T);
	check(due(9000, 0, 0) == 9000, "an interval after the first line");
	check(due(9000, 400, 0) == 8600, "less the jitter");
	check(due(20000, 0, 5000) == 20000, "plain lines have no age");
	window_clear(&w);

	window_open(&w, &A, &A, false, T);
	check(batch_add(&b, &(struct increment){A, 1}, T) == 0, "memory");
	check(window_add_batch(&w, &b, 1, 0, T) == 0, "memory");
	check(due(5000, 0, 0) == 5000, "an interval after the first line");
	check(due(5000, 200, 0) == 4800, "less the jitter");
	check(due(9000, 0, 0) == LEFT, "recovery comes off ten seconds");
	check(SCHEDULE_RECOVERY_MS >=
		  QUEUE_OWNER_MS + 2 * LOOK_MS + SCHEDULE_LINGER_MS,
	    "another machine takes longer");
	check(due(9000, 0, 1000) == LEFT - 2000, "so do two statements");
	check(due(9000, 300, 1000) == LEFT - 2300, "and the jitter");
	check(due(9000, 4000, 3000) == 1000, "but for half of the rest");
	check(due(10001, 0, 0) == 10001, "longer is a promise given up");
	check(window_add_batch(&w, &b, 2, 4000, T + 1000) == 0, "memory");
	check(due(9000, 0, 0) == LEFT - 3000, "the oldest decides");
	check(window_add_batch(&w, &b, 3, 0, T + 2000) == 0, "memory");
	check(due(9000, 0, 0) == LEFT - 3000, "a younger changes nothing");
	check(window_add_batch(&w, &b, 4, 60000, T + 2000) == 0, "memory");
	check(due(9000, 0, 0) < 0, "a very old one: at once");
	check(due(20000, 0, 0) == 20000, "but not with a long interval");
	window_clear(&w);
	batch_free(&b);
}

static void
add(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct increment inc = {
		    {{(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}}, 1};

		check(window_add(&w, &inc, 1) == 0, "memory");
	}
}

static void
full(void)
{
	struct schedule s = with(9000),
			plain = {.interval_ms = 9000, .max_keys = 1000};

	size_t n;

	cost_model_init(&cost);
	n = cost_model_keys(&cost, SCHEDULE_STATEMENT_MS);
	check(n > 1000, "%zu", n);
	window_open(&w, &A, &A, false, 50000);
	check(schedule_due(&plain, &w, &cost) > 50000, "empty");
	add(0, 999);
	check(!schedule_full(&plain, &w, &cost), "max-keys");
	add(999, n - 1);
	check(!schedule_full(&s, &w, &cost), "one key less");
	check(schedule_due(&s, &w, &cost) > 0, "stays open");
	add(n - 1, n);
	check(schedule_full(&plain, &w, &cost), "max-keys");
	check(schedule_full(&s, &w, &cost), "a statement of half the time");
	check(schedule_due(&s, &w, &cost) == 0, "closes at once");
	plain.max_keys = 1000000;
	check(n == COST_MODEL_UNKNOWN, "%zu", n);
	check(schedule_full(&plain, &w, &cost), "nothing is known of the cost");
	cost_model_learn(&cost, 10000, 1000000);
	check(!schedule_full(&plain, &w, &cost), "not for plain input");
	window_clear(&w);
}

/* A slow server, whatever the keys. */
static void
risk(void)
{
	struct schedule s = with(9000), plain = {.interval_ms = 9000};

	cost_model_init(&cost);
	check(!schedule_at_risk(&s, &cost), "not known");
	cost_model_learn(&cost, 10, 2700000);
	check(!schedule_at_risk(&s, &cost), "as slow as may be");
	cost_model_learn(&cost, 10, 2900000);
	check(!schedule_at_risk(&s, &cost), "one may wait for a lock");
	cost_model_learn(&cost, 10, 2900000);
	check(schedule_at_risk(&s, &cost), "slower");
	check(!schedule_at_risk(&plain, &cost), "nothing is promised");
	cost_model_learn(&cost, 10, 1000000);
	check(!schedule_at_risk(&s, &cost), "over");
	for (int i = 0; i < 20; i++)
		cost_model_learn(&cost, 200000, 5000000);
	check(!schedule_at_risk(&s, &cost), "keys are not the server");
}

int
main(void)
{
	struct hash_seed seed;

	hash_seed_make(&seed);
	keysums_open(&w.keysums, &seed);
	jitter();
	closing();
	full();
	risk();
	window_free(&w);
	return check_end();
}
