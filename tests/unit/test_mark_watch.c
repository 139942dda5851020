/* Without a flush mark for some seconds, another Redis is looked for. */
#include "check.h"
#include "consume/mark_watch.h"

/* Looks every 250 ms that show no mark, until a try or the end.  Returns the
 * time of the try, 0 if there is none. */
static int64_t
miss(struct mark_watch *w, uint64_t n, int64_t from_ms, int64_t to_ms)
{
	for (int64_t ms = from_ms; ms <= to_ms; ms += 250)
		if (mark_watch_look(w, false, n, ms))
			return ms;
	return 0;
}

int
main(void)
{
	struct mark_watch w = {0};
	int64_t ms;

	check(!mark_watch_look(&w, true, 1, 1000), "a mark");
	check(miss(&w, 1, 1250, 6000) == 0, "not at once");
	check(!mark_watch_look(&w, true, 1, 6100), "it comes back");
	check(miss(&w, 1, 6250, 11000) == 0, "counted anew");
	check(miss(&w, 2, 11250, 16000) == 0, "another connection is a try");
	check(miss(&w, 2, 16250, 16250) == 16250, "five seconds");
	ms = miss(&w, 3, 20000, 90000);
	check(ms == 30000, "then ten, got %jd", (intmax_t)ms);
	ms = miss(&w, 4, 40000, 90000);
	check(ms == 60000, "twenty, got %jd", (intmax_t)ms);
	for (uint64_t n = 5; n < 70; n++)
		miss(&w, n, 0, 300000);
	ms = miss(&w, 70, 400000, 900000);
	check(ms == 460000, "a minute at most, got %jd", (intmax_t)ms);
	check(!mark_watch_look(&w, true, 71, 500000), "a mark");
	check(miss(&w, 71, 500250, 900000) == 505250, "from the beginning");
	/* The connection is still the one of the try: it was not closed yet. */
	ms = miss(&w, 71, 505500, 900000);
	check(ms == 515500, "one try, got %jd", (intmax_t)ms);
	return check_end();
}
