/* What the replies to WAIT mean, and when a primary without replicas is left.
 */
#include "check.h"
#include "redis/replicas.h"

static enum replicas_answer
judge(struct replicas *r, int64_t have, int64_t at_ms, char why[REASON_MAX])
{
	return replicas_judge(r, NULL, have, at_ms * 1000, why);
}

static void
ask(struct replicas *r, uint64_t n, int64_t at_ms)
{
	static struct buf out;

	check(replicas_ask(r, n, 250, at_ms * 1000, &out) == 0, "memory");
	check(out.len == 12 && memcmp(buf_ptr(&out), "WAIT 2 250\r\n", 12) == 0,
	    "%.*s", (int)out.len, buf_ptr(&out));
}

int
main(void)
{
	struct replicas r = {0};
	char why[REASON_MAX] = "";

	ask(&r, 2, 1000);
	check(judge(&r, 2, 1001, why) == REPLICAS_HAVE_IT, "2 of 2");
	check(judge(&r, 3, 1001, why) == REPLICAS_HAVE_IT, "3 of 2");
	check(judge(&r, -1, 1250, why) == REPLICAS_LOST, "no number");
	check(replicas_judge(&r, "UNBLOCKED", -1, 1250000, why) ==
		      REPLICAS_LOST &&
		  strcmp(why, "WAIT: UNBLOCKED") == 0,
	    "%s", why);
	check(judge(&r, 1, 1250, why) == REPLICAS_FEWER &&
		  strcmp(why, "1 of 2 replicas confirmed (--replicas)") == 0,
	    "%s", why);
	/* It did not wait: the next one would not, either. */
	ask(&r, 2, 1300);
	check(judge(&r, 1, 1310, why) == REPLICAS_LOST, "at once");
	/* Too few for two seconds. */
	ask(&r, 2, 2700);
	check(judge(&r, 0, 2950, why) == REPLICAS_FEWER, "since 1000");
	ask(&r, 2, 2950);
	check(judge(&r, 0, 3200, why) == REPLICAS_LOST, "for 2 s");
	/* Enough once. */
	ask(&r, 2, 3200);
	check(judge(&r, 2, 3300, why) == REPLICAS_HAVE_IT, "enough");
	ask(&r, 2, 3300);
	check(judge(&r, 0, 3550, why) == REPLICAS_FEWER, "anew");
	return check_end();
}
