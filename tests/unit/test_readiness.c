/* That a server is unready is logged once it has lasted, and seldom. */
#include "check.h"
#include "serve/readiness.h"

int
main(void)
{
	struct readiness r = {0};
	int64_t said_ms = 8000 + READINESS_SAY_MS;

	check(!readiness_asked(&r, true, 1000), "ready");
	check(!readiness_asked(&r, false, 5000), "the first no");
	check(!readiness_asked(&r, true, 5000 + READINESS_SAY_MS), "a yes");
	check(!readiness_asked(&r, false, 8000), "a no again");
	check(!readiness_asked(&r, false, said_ms - 1), "not for long");
	check(readiness_asked(&r, false, said_ms), "for a second");
	check(!readiness_asked(&r, false, said_ms + 1), "once");
	check(!readiness_asked(&r, true, said_ms + 2), "a yes");
	check(!readiness_asked(&r, false, said_ms + 3) &&
		  !readiness_asked(&r, false, said_ms + 3 + READINESS_SAY_MS),
	    "said a short time ago");
	check(readiness_asked(&r, false, said_ms + READINESS_AGAIN_MS),
	    "a minute later");
	return check_end();
}
