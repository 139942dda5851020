/*
 * When windows close: the first apart from those of others, one that is
 * full at once, whatever the reason.
 */
#include "check.h"
#include "flush/schedule.h"

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

	window_open(&w, &A, &A, true, 0);
	schedule_open(&s, &w, 4000);
	check(s.jitter_ms == 0 && !s.phased, "adopted: none");
	window_clear(&w);
	window_open(&w, &A, &A, false, 0);
	schedule_open(&s, &w, 4000);
	check(s.jitter_ms == 4000, "the first: up to half an interval");
	schedule_open(&s, &w, 4000);
	check(s.jitter_ms == 4000 % 451, "then a twentieth");
	schedule_open(&s, &w, UINT64_MAX);
	check(s.jitter_ms >= 0 && s.jitter_ms <= 450, "any noise");
	schedule_open(&plain, &w, 4000);
	check(plain.jitter_ms == 4000 % 451, "plain input has no promise");
	s = with(10001);
	check(!s.promises, "nor has a long interval");
	window_clear(&w);
}

static void
add(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct increment inc = {
		    {{(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}}, 1};

		check(window_add(&w, &inc) == 0, "memory");
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
	check(!schedule_full(&plain, &w, &cost), "not for plain input");
	window_clear(&w);
}

int
main(void)
{
	struct hash_seed seed;

	hash_seed_make(&seed);
	keysums_open(&w.keysums, &seed);
	jitter();
	full();
	window_free(&w);
	return check_end();
}
