/*
 * By how much counters grew between two readings: also those that restart,
 * begin, and vanish.
 */
#include "check.h"
#include "top/counters.h"

static struct counters c;

static double
increase_at(int source, const char *name, double value, bool fresh)
{
	double ret = -1;

	check(counters_increase(&c,
		  &(struct counter_name){"n", 1, name, strlen(name), source},
		  value, fresh, &ret) == 0,
	    "%s", name);
	return ret;
}

static double
increase(const char *name, double value, bool fresh)
{
	return increase_at(0, name, value, fresh);
}

/* Two hosts may call themselves alike. */
static void
test_sources(void)
{
	check(increase_at(0, "s", 100, false) == 0, "new");
	check(increase_at(1, "s", 7, false) == 0, "another, also new");
	counters_end(&c);
	check(increase_at(0, "s", 103, false) == 3, "by three");
	check(increase_at(1, "s", 8, false) == 1, "by one");
	counters_end(&c);
	counters_end(&c);
}

static void
test_one(void)
{
	check(increase("a", 100, false) == 0, "it was there before us");
	counters_end(&c);
	check(increase("a", 130, false) == 30, "it grew");
	check(increase("b", 7, true) == 7, "a new one of a new process");
	counters_end(&c);
	check(increase("a", 130, false) == 0, "it did not");
	check(increase("b", 2, false) == 2, "it began again");
	counters_end(&c);
	check(increase("b", 5, false) == 3, "from there");
	counters_end(&c);
	check(increase("a", 200, false) == 0, "it was away: no increase");
	counters_end(&c);
	check(c.n == 1, "what is away is forgotten: %zu", c.n);
	check(increase("a", 201, false) == 1, "and known again");
}

static void
test_many(void)
{
	char name[32];
	double sum = 0;

	for (int reading = 1; reading <= 3; reading++) {
		for (int i = 0; i < 20000; i++) {
			snprintf(name, sizeof name, "series %d", i);
			sum += increase(name, reading * i, false);
		}
		counters_end(&c);
	}
	check(sum == 2.0 * 20000 * 19999 / 2, "%g", sum);
	for (int i = 0; i < COUNTERS_MAX + 10; i++) {
		snprintf(name, sizeof name, "other %d", i);
		(void)increase(name, 1, false);
	}
	check(c.n == COUNTERS_MAX, "bounded: %zu", c.n);
	check(increase("one more", 5, true) == 0, "which is not known");
}

int
main(void)
{
	test_sources();
	test_one();
	test_many();
	counters_free(&c);
	check(c.n == 0 && c.all == NULL, "freed");
	return check_end();
}
