/* When a service is tried again, and when no more. */
#include "check.h"
#include "send/retry.h"

enum { T = 1000000 };

static void
test_no_outage(void)
{
	struct retry r = {.wait_ms = 1000};

	check(retry_try(&r, T) && !retry_hopeless(&r, T), "nothing is wrong");
	check(retry_due(&r, T) == INT64_MAX, "nothing is due");
}

static void
test_outage(void)
{
	struct retry r = {.wait_ms = 1000};
	int64_t resume_ms;

	check(retry_failed(&r, T, 0) && r.outage, "worth waiting");
	resume_ms = r.resume_ms;
	check(resume_ms > T && resume_ms <= T + 50, "by back-off");
	check(!retry_try(&r, resume_ms - 1) && retry_try(&r, resume_ms),
	    "not before");
	check(!retry_hopeless(&r, T), "what waits does wait");
	check(retry_due(&r, T) == resume_ms, "and then");
	/* Requests that were in flight together are one failure. */
	check(retry_failed(&r, T + 1, 0) && r.resume_ms == resume_ms,
	    "the same one");
	check(retry_failed(&r, resume_ms, 0) && r.resume_ms > resume_ms + 50 &&
		  r.resume_ms <= resume_ms + 100,
	    "the next one waits twice as long");
	check(!retry_hopeless(&r, T + 999), "it is waited out");
	check(retry_due(&r, r.resume_ms) == T + 1000, "its end is due");
	check(retry_failed(&r, T + 999, 0), "still");
	check(!retry_failed(&r, T + 1000, 0), "no longer");
	check(retry_hopeless(&r, T + 1000), "what waits need not");
	check(retry_try(&r, r.resume_ms) && !retry_hopeless(&r, r.resume_ms),
	    "but for a try now and then");
	check(retry_due(&r, T + 1000) == r.resume_ms, "and when that is");
}

static void
test_over(void)
{
	struct retry r = {.wait_ms = 1000};

	for (int i = 0; i < 10; i++)
		retry_failed(&r, T + 10 * i, 0);
	retry_over(&r);
	check(!r.outage && !retry_hopeless(&r, T + 950), "over");
	check(retry_due(&r, r.resume_ms) == INT64_MAX, "nothing is due");
	check(retry_failed(&r, T + 5000, 0), "another one has its own time");
	check(r.resume_ms <= T + 5050, "and the shortest delay");
	check(retry_failed(&r, T + 5999, 0) && !retry_failed(&r, T + 6000, 0),
	    "until then");
}

static void
test_retry_after(void)
{
	struct retry r = {.wait_ms = 10000};

	check(retry_failed(&r, T, 3000), "asked to wait");
	check(r.resume_ms == T + 3000, "so long");
	r = (struct retry){.wait_ms = 10000};
	check(retry_failed(&r, T, 1), "less than back-off");
	check(r.resume_ms > T + 1, "counts for nothing");
	r = (struct retry){.wait_ms = 200};
	check(retry_failed(&r, T, 3000), "more than is waited");
	check(r.resume_ms == T + 200, "not beyond it");
	r = (struct retry){.wait_ms = 0};
	check(!retry_failed(&r, T, 0) && retry_try(&r, T),
	    "with no time to wait each is tried once");
}

int
main(void)
{
	test_no_outage();
	test_outage();
	test_over();
	test_retry_after();
	return check_end();
}
