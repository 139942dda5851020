/*
 * Means and quantiles of the last minute, as Prometheus counts them.
 */
#include <math.h>

#include "check.h"
#include "top/histogram.h"

static struct histogram h;

static int
near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

/* Observations up to 1, 2 and more seconds. */
static void
observe(double now, double one, double two, double more, double sum)
{
	histogram_bucket(&h, now, 1, one);
	histogram_bucket(&h, now, 2, one + two);
	histogram_bucket(&h, now, INFINITY, one + two + more);
	histogram_sum(&h, now, sum);
	histogram_count(&h, now, one + two + more);
}

static double
quantile(double now, double q, bool *ret_more)
{
	double s = -1;

	*ret_more = false;
	(void)histogram_quantile(&h, now, q, &s, ret_more);
	return s;
}

static void
test_quantiles(void)
{
	double mean = -1;
	bool more;

	check(!histogram_mean(&h, 100, &mean), "nothing");
	check(quantile(100, 0.5, &more) == -1, "nothing");
	observe(100, 10, 10, 0, 25);
	check(histogram_mean(&h, 100, &mean) && near(mean, 1.25), "%g", mean);
	check(near(quantile(100, 0.25, &more), 0.5) && !more, "first bucket");
	check(near(quantile(100, 0.5, &more), 1), "its bound");
	check(near(quantile(100, 0.75, &more), 1.5), "second bucket");
	check(near(quantile(100, 1, &more), 2) && !more, "all");
	observe(100, 0, 0, 20, 1000);
	check(near(quantile(100, 0.99, &more), 2) && more,
	    "above the highest bound");
}

static void
test_minute(void)
{
	double mean = -1;
	bool more;

	h = (struct histogram){0};
	observe(100, 10, 0, 0, 5);
	observe(155, 0, 10, 0, 15);
	check(histogram_mean(&h, 155, &mean) && near(mean, 1), "both");
	check(histogram_mean(&h, 175, &mean) && near(mean, 1.5), "the later");
	check(near(quantile(175, 0.5, &more), 1.5), "the later");
	check(!histogram_mean(&h, 300, &mean), "none");
}

/* Of whoever answers in the place of a system. */
static void
test_nonsense(void)
{
	bool more;

	h = (struct histogram){0};
	histogram_bucket(&h, 10, 2, 5);
	histogram_bucket(&h, 10, 1, 9);
	histogram_bucket(&h, 10, NAN, 9);
	check(near(quantile(10, 0.99, &more), 0.99), "not less than below: %g",
	    quantile(10, 0.99, &more));
	for (int i = 0; i < 100; i++)
		histogram_bucket(&h, 10, i + 10, 9);
	check(h.n == HISTOGRAM_BOUNDS, "bounded");
	check(isfinite(quantile(10, 0.5, &more)), "a number");
}

int
main(void)
{
	test_quantiles();
	test_minute();
	test_nonsense();
	return check_end();
}
