/*
 * Names of messages: the digits of a digest, and how often each was said.
 */
#include "check.h"
#include "inspect/message_id.h"

/* sha256sum of nothing, and of x, as far as a name goes */
static char *const said[] = {
    "2d711642b726b044", "e3b0c44298fc1c14", "2d711642b726b044"};

static void
check_names(void)
{
	char text[NAMES_TEXT + 1];
	uint64_t name;

	check(names_of("x", 1, &name) == 0, "x");
	names_format(name, text);
	check(strcmp(text, said[0]) == 0, "%s", text);
	check(names_of("", 0, &name) == 0, "nothing");
	names_format(name, text);
	check(strcmp(text, said[1]) == 0, "%s", text);
}

static void
check_use(void)
{
	struct names s = {0};
	const char *wrong;
	uint64_t x, nothing, other;

	names_of("x", 1, &x);
	names_of("", 0, &nothing);
	names_of("y", 1, &other);
	check(!names_use(&s, x), "of none");
	check(names_set(&s, said, check_n(said), &wrong) == 0, "three");
	for (int i = 0; i < 2; i++) {
		check(!names_use(&s, other), "not said");
		check(names_use(&s, x) && names_use(&s, x), "said twice");
		check(!names_use(&s, x), "not three times");
		check(names_use(&s, nothing) && !names_use(&s, nothing),
		    "said once");
		check(s.used == 3, "%zu", s.used);
		names_restore(&s);
	}
	names_free(&s);
}

static void
check_wrong(void)
{
	static char *const bad[] = {"", "2d711642b726b04", "2d711642b726b0444",
	    "2D711642b726b044", "2d711642b726b04g", " d711642b726b044"};
	struct names s = {0};
	const char *wrong;

	for (size_t i = 0; i < check_n(bad); i++) {
		char *const texts[] = {said[0], bad[i]};

		check(names_set(&s, texts, 2, &wrong) < 0 && wrong == bad[i],
		    "'%s'", bad[i]);
		check(s.n == 0, "'%s' leaves none", bad[i]);
	}
}

int
main(void)
{
	check_names();
	check_use();
	check_wrong();
	return check_end();
}
