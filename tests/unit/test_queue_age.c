/*
 * The age of the oldest increment, by a queue of which the test knows when each
 * message was pushed: never less, and not much more.
 */
#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "queue/queue_age.h"

#define T0 1795451234567

static struct queue_age age;

/* A look at a queue.  Times are seconds after T0; batch -1: none, emptied -1:
 * not known. */
static double
look(double at, uint64_t taken, uint64_t ready, double emptied, double batch)
{
	struct queue_lengths l = {.ready = ready,
	    .unacked = batch >= 0,
	    .at_ms = T0 + (int64_t)(at * 1000),
	    .taken = taken,
	    .emptied_ms = emptied < 0 ? 0 : T0 + (int64_t)(emptied * 1000),
	    .batch_ms = batch < 0 ? 0 : T0 + (int64_t)(batch * 1000)};

	return (double)queue_age_look(&age, &l) / 1000;
}

static void
forget(void)
{
	age = (struct queue_age){0};
}

#define IS(seconds, ...) \
	do { \
		double was = look(__VA_ARGS__); \
		check(was > (seconds)-0.0015 && was < (seconds) + 0.0015, \
		    "%s is %g, not %g", #__VA_ARGS__, was, (double)(seconds)); \
	} while (0)

static void
check_ready(void)
{
	forget();
	IS(0, 10, 0, 0, 9, -1);   /* nothing waits */
	IS(1, 11, 0, 3, 9, -1);   /* it came after the last look */
	IS(2, 12, 0, 5, 9, -1);   /* the same one waits */
	IS(2, 13, 3, 2, 9, -1);   /* the three were taken, two came later */
	IS(3, 14, 3, 9, 9, -1);   /* nobody takes */
	IS(2, 15, 5, 9, 9, -1);   /* those of the look at 13 are left */
	IS(0, 16, 14, 0, 15, -1); /* all were taken */
	/* Drains stood still for hours while nothing came. */
	IS(0, 10000, 14, 0, 15, -1);
	IS(1, 10001, 14, 1, 15, -1);
	IS(2, 10002, 14, 1, 15, -1);
}

static void
check_first_look(void)
{
	forget();
	IS(7, 10, 100, 5, 3, -1); /* as Redis knows */
	IS(8, 11, 100, 5, 3, -1);
	forget();
	IS(0, 10, 100, 5, -1, -1); /* as nobody knows */
	IS(5, 15, 100, 5, -1, -1);
	IS(5, 20, 105, 5, -1, -1);
	forget();
	IS(0, 10, 100, 5, 12, -1); /* its clock was set back */
	IS(1, 11, 100, 5, 12, -1);
}

static void
check_batches(void)
{
	forget();
	IS(0, 10, 0, 0, 10, -1);
	IS(0.6, 11, 3, 0, 10.4, 10.4); /* not 1: it was seen empty at 10 */
	IS(8.6, 19, 3, 0, 10.4, 10.4);
	IS(9, 19.4, 9, 1, 10.4, 10.4);
	IS(0, 20, 9, 0, 20, -1);
	/* A backlog of which only a part is taken: that part is as old. */
	for (int at = 21; at <= 40; at++)
		IS(at - 20, at, 9, (uint64_t)at, 20, -1);
	IS(21, 41, 39, 10, 20, 40.5);
	IS(25, 45, 39, 14, 20, 40.5);
	/* The batch is acknowledged: what is in ready came later. */
	IS(16, 46, 39, 15, 20, -1);
	/* It is as old at each later look, though nothing else waits. */
	forget();
	IS(0, 10, 0, 0, 10, -1);
	IS(1, 11, 0, 9, 10, -1);
	IS(5, 15, 0, 9, 10, -1);
	for (int at = 17; at <= 20; at++)
		IS(at - 10, at, 9, 0, 16, 16);
}

static void
check_others(void)
{
	forget();
	IS(0, 10, 0, 0, 10, -1);
	IS(1, 11, 0, 5, 10, -1);
	/* Another program took all five, seven came: the true age is 1, which
	 * can't be known. */
	IS(2, 12, 0, 7, 10, -1);
	/* It took four more, which is seen. */
	IS(3, 13, 0, 3, 10, -1);
	IS(0, 14, 0, 0, 10, -1);
	IS(1, 15, 0, 1, 10, -1);
	/* They took eight, five came, and they took two: with that, all that
	 * was there at the first look. */
	forget();
	IS(0, 10, 0, 10, -1, -1);
	IS(1, 11, 0, 2, -1, -1);
	IS(2, 12, 0, 7, -1, -1);
	IS(2, 13, 0, 5, -1, -1);
}

static void
check_steps_back(void)
{
	forget();
	IS(0, 10, 50, 0, 10, -1);
	IS(5, 15, 50, 3, 10, -1);
	IS(4, 16, 20, 3, 12, -1); /* Redis lacks what was taken */
	IS(0, 9, 20, 3, 12, -1);  /* its clock was set back */
	IS(1, 10, 20, 3, 12, -1);
}

/* Overload, two hours without drains, and a backlog that becomes less until
 * there is none. */
static void
check_long(void)
{
	static double pushed_at[200000];
	uint64_t pushed = 0, taken = 0;
	double worst = 0;
	bool enough = true;

	forget();
	/* In seconds; three messages come half a second before each look. */
	for (int t = 1; t < 50000; t++) {
		bool drains = t < 1000 || t > 8000;
		double is, truth;

		for (int i = 0; i < 3 && pushed < check_n(pushed_at); i++)
			pushed_at[pushed++] = t - 0.5;
		if (drains)
			taken += t < 1000 ? 2 : 4;
		if (taken > pushed)
			taken = pushed;
		truth = taken == pushed ? 0 : t - pushed_at[taken];
		is = look(t, taken, pushed - taken, 0, -1);
		enough &= is >= truth - 0.0015;
		if (truth > 0 && (is - 1) / (truth + 0.0015) > worst)
			worst = (is - 1) / (truth + 0.0015);
	}
	check(enough, "less than the truth");
	check(worst < 1.1, "%.9g of the truth", worst);
	check(age.n <= QUEUE_AGE_LOOKS, "%zu looks", age.n);
}

int
main(void)
{
	check_ready();
	check_first_look();
	check_batches();
	check_others();
	check_steps_back();
	check_long();
	return check_end();
}
