/*
 * The past of a figure: how fast a counter grows, smooth or in steps, and the
 * columns of a sparkline.
 */
#include <math.h>

#include "check.h"
#include "top/timeline.h"

static struct timeline t;

static int
near(double a, double b)
{
	return fabs(a - b) < 1e-6 * (1 + fabs(b));
}

static void
test_smooth(void)
{
	timeline_begin(&t, 1000.25);
	check(timeline_rate(&t, 1000.25) == 0, "nothing yet");
	for (int i = 1; i <= 30; i++)
		timeline_grow(&t, 1000.25 + i, 100);
	check(near(timeline_rate(&t, 1030.25), 100), "%g",
	    timeline_rate(&t, 1030.25));
	check(near(timeline_rate(&t, 1031.9), 100), "one reading without");
	/* Then it rests. */
	timeline_grow(&t, 1033.25, 0);
	check(timeline_rate(&t, 1033.25) < 70, "it falls: %g",
	    timeline_rate(&t, 1033.25));
	timeline_grow(&t, 1040.25, 0);
	check(timeline_rate(&t, 1040.25) == 0, "to 0");
}

static void
test_steps(void)
{
	double columns[8];

	timeline_begin(&t, 1000);
	for (int i = 1; i <= 45; i++) {
		timeline_grow(&t, 1000 + i, i % 9 == 0 ? 900 : 0);
		if (i >= 18)
			check(near(timeline_rate(&t, 1000 + i), 100),
			    "after %d s: %g", i, timeline_rate(&t, 1000 + i));
	}
	/* A step is spread over the time since the one before. */
	timeline_columns(&t, 1045, 5, false, columns, 8);
	check(columns[7] == -1, "of now nothing is known");
	for (int i = 0; i < 7; i++)
		check(near(columns[i], 100), "column %d: %g", i, columns[i]);
	/* Over ten seconds at most: what came after a night came lately. */
	timeline_grow(&t, 1345, 1000);
	timeline_columns(&t, 1345, 5, false, columns, 8);
	check(near(columns[6], 100) && near(columns[5], 100) &&
		  near(columns[4], 0),
	    "%g %g %g", columns[4], columns[5], columns[6]);
}

static void
test_gauge(void)
{
	double columns[4];

	timeline_begin(&t, 100);
	for (int i = 0; i < 10; i++)
		timeline_reach(&t, 100 + i, i == 3 ? 50 : i);
	timeline_columns(&t, 109, 5, true, columns, 4);
	check(columns[0] == -1 && columns[1] == -1, "before the beginning");
	check(columns[2] == 50 && columns[3] == 9, "the highest: %g %g",
	    columns[2], columns[3]);
}

static void
test_long(void)
{
	double columns[TIMELINE_S / 5];

	timeline_begin(&t, 0);
	for (int i = 1; i < 2000; i++)
		timeline_grow(&t, i, 10);
	timeline_columns(&t, 1999, 5, false, columns, check_n(columns));
	for (size_t i = 1; i + 1 < check_n(columns); i++)
		check(near(columns[i], 10), "column %zu: %g", i, columns[i]);
	/* The process was stopped for an hour. */
	timeline_grow(&t, 5600, 36000);
	timeline_columns(&t, 5600, 5, false, columns, check_n(columns));
	check(near(columns[check_n(columns) - 2], 3600), "the last: %g",
	    columns[check_n(columns) - 2]);
	check(columns[0] <= 0, "the first: %g", columns[0]);
	/* Two readings at one time. */
	timeline_grow(&t, 5600, 5);
	check(isfinite(timeline_rate(&t, 5600)), "no division by 0");
}

int
main(void)
{
	test_smooth();
	test_steps();
	test_gauge();
	test_long();
	return check_end();
}
