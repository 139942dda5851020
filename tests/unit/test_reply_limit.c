/* How much is asked for in one reply, after losses of large ones. */
#include "check.h"
#include "queue/reply_limit.h"

enum { T = 1000000, TIMEOUT = 2000 };

static bool
lose(struct reply_limit *l, int64_t at_ms)
{
	reply_limit_begin(l, at_ms);
	return reply_limit_lost(l, TIMEOUT, at_ms + 1);
}

static void
check_lower(void)
{
	struct reply_limit l = {0};
	int losses = 0;

	check(!reply_limit_lost(
		  &(struct reply_limit){.begun_ms = T}, TIMEOUT, T + TIMEOUT),
	    "a time-out is no size");
	for (; !l.single && losses < 20; losses++) {
		uint64_t before = l.bytes;

		check(lose(&l, T + losses), "lost");
		check(before == 0 || l.bytes < before || l.single, "less");
		check(!l.failed, "not the least yet");
	}
	check(losses <= 6, "soon the least: %d", losses);
	check(lose(&l, T + losses) && l.single && l.failed, "the least");
	reply_limit_met(&l);
	check(!l.failed && l.single, "goes on with it");
}

static void
check_raise(void)
{
	struct reply_limit l = {0};
	int64_t at_ms = T;

	for (int i = 0; i < 7; i++)
		lose(&l, at_ms);
	reply_limit_begin(&l, at_ms + REPLY_LIMIT_RAISE_MS / 2);
	check(l.single, "not yet");
	for (int i = 0; i < 20 && l.bytes != 0; i++)
		reply_limit_begin(&l, at_ms += REPLY_LIMIT_RAISE_MS + 1);
	check(l.bytes == 0 && !l.single, "no limit in the end");
	check(at_ms - T < 8 * REPLY_LIMIT_RAISE_MS, "within minutes");
}

int
main(void)
{
	check_lower();
	check_raise();
	return check_end();
}
