/* Dead letters are said at once, then once a minute at most, none twice. */
#include "flush/dead_letters.h"

#include <string.h>

#include "check.h"

enum { T = 1000 };

static bool
news(struct dead_letters *d, uint64_t n, int64_t now_ms, const char *expected)
{
	char why[REASON_MAX] = "";

	return dead_letters_news(d, n, false, "q", now_ms, why) &&
	       strcmp(why, expected) == 0;
}

static void
once_a_minute(void)
{
	struct dead_letters d = {0};

	check(!news(&d, 0, T, ""), "none");
	check(news(&d, 1, T,
		  "queue q: 1 new dead letter; see incr-rejected list"),
	    "at once");
	check(!news(&d, 1, T + DEAD_LETTERS_REST_MS, ""), "not twice");
	check(!news(&d, 3, T + DEAD_LETTERS_REST_MS - 1, ""), "too soon");
	check(news(&d, 5, T + DEAD_LETTERS_REST_MS,
		  "queue q: 4 new dead letters; see incr-rejected list"),
	    "all since");
}

static void
last(void)
{
	struct dead_letters d = {0};
	char why[REASON_MAX] = "";

	check(dead_letters_news(&d, 2, false, "q", T, why), "at once");
	check(dead_letters_news(&d, 3, true, "q", T + 1, why), "the last");
	check(!dead_letters_news(&d, 3, true, "q", T + 2, why), "not twice");
}

int
main(void)
{
	once_a_minute();
	last();
	return check_end();
}
