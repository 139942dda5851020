/* Reasons: formatted, cut to fit, and the -1 of a failure. */
#include "base/reason.h"
#include "check.h"

int
main(void)
{
	static char longer[2 * REASON_MAX];
	char why[REASON_MAX] = "before";

	check(reason_set(why, "%s: %d", "connect", 7) == -1, "a failure");
	check(strcmp(why, "connect: 7") == 0, "%s", why);
	memset(longer, 'x', sizeof longer - 1);
	check(reason_set(why, "%s", longer) == -1, "a failure");
	check(strlen(why) == REASON_MAX - 1, "%zu bytes", strlen(why));
	return check_end();
}
