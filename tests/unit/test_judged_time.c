/* Time limits wait for what has come, also after a pause. */
#include "check.h"
#include "net/judged_time.h"

enum { HOLD = JUDGED_TIME_HOLD_MS, LATE = JUDGED_TIME_LATE_MS };

static void
look(struct judged_time *t, int64_t due_ms, int64_t looked_ms, int64_t ended_ms)
{
	judged_time_looked(t, &(struct judged_time_look){.due_ms = due_ms,
				  .looked_ms = looked_ms,
				  .ended_ms = ended_ms});
}

static void
test_goes_on(void)
{
	struct judged_time t = {.now_ms = 5000};

	look(&t, 6000, 5500, 5900);
	check(t.now_ms == 5500, "not what came during the look");
	look(&t, 6000, 6000, 6000 + LATE);
	check(t.now_ms == 6000 && t.hold_ms == 0, "hardly late");
	look(&t, INT64_MAX, 7000, 99000);
	check(t.now_ms == 7000 && t.hold_ms == 0, "nothing was due");
	look(&t, 6000, 6500, 6500);
	check(t.now_ms == 7000, "it never goes back");
}

static void
test_pause(void)
{
	struct judged_time t = {.now_ms = 5000};

	look(&t, 6000, 13000, 13000);
	check(t.now_ms == 5000 && t.hold_ms == 13000 + HOLD, "held");
	check(judged_time_due(&t, 6000) == 13000 + HOLD, "not due before");
	check(judged_time_due(&t, 5000) == 5000, "no limit: at once");
	check(judged_time_due(&t, 90000) == 90000, "later anyway");
	look(&t, 5000, 13500, 13500);
	check(t.now_ms == 5000 && t.hold_ms == 13000 + HOLD, "held once");
	look(&t, 13000 + HOLD, 13000 + HOLD, 13000 + HOLD);
	check(t.now_ms == 13000 + HOLD, "over");
	check(judged_time_due(&t, 14001) == 14001, "due by itself");
}

/* Paused between the end of the time and what follows it. */
static void
test_late_end(void)
{
	struct judged_time t = {.now_ms = 5000};

	look(&t, 6000, 6000, 6001 + LATE);
	check(t.now_ms == 5000 && t.hold_ms == 6001 + LATE + HOLD, "held");
}

/* On a machine that is always late limits are held up, and hold. */
static void
test_always_late(void)
{
	struct judged_time t = {.now_ms = 1000};
	int64_t worst_ms = 0;

	for (int64_t ms = 2000; ms < 60000; ms += 300) {
		look(&t, ms - 300, ms, ms);
		if (ms - t.now_ms > worst_ms)
			worst_ms = ms - t.now_ms;
	}
	check(worst_ms <= 1300 + HOLD, "%jd", (intmax_t)worst_ms);
	t.hold_ms = 60000;
	look(&t, 61000, 67000, 67000);
	check(t.hold_ms == 67000 + HOLD, "a pause behind a pause");
}

int
main(void)
{
	test_goes_on();
	test_pause();
	test_late_end();
	test_always_late();
	return check_end();
}
