/*
 * Ids of messages: the digits of a digest, and how often each was given.
 */
#include "check.h"
#include "inspect/message_id.h"

/* sha256sum of nothing, and of x, the first 16 digits */
static char *const given[] = {
    "2d711642b726b044", "e3b0c44298fc1c14", "2d711642b726b044"};

static void
check_ids(void)
{
	char text[MESSAGE_ID_TEXT + 1];
	uint64_t id;

	check(message_id_of("x", 1, &id) == 0, "x");
	message_id_format(id, text);
	check(strcmp(text, given[0]) == 0, "%s", text);
	check(message_id_of("", 0, &id) == 0, "nothing");
	message_id_format(id, text);
	check(strcmp(text, given[1]) == 0, "%s", text);
}

static void
check_use(void)
{
	struct message_ids s = {0};
	const char *wrong;
	uint64_t x, nothing, other;

	message_id_of("x", 1, &x);
	message_id_of("", 0, &nothing);
	message_id_of("y", 1, &other);
	check(!message_id_use(&s, x), "of none");
	check(message_id_set(&s, given, check_n(given), &wrong) == 0, "three");
	for (int i = 0; i < 2; i++) {
		check(!message_id_use(&s, other), "not given");
		check(message_id_use(&s, x) && message_id_use(&s, x),
		    "given twice");
		check(!message_id_use(&s, x), "not three times");
		check(
		    message_id_use(&s, nothing) && !message_id_use(&s, nothing),
		    "given once");
		check(s.used == 3, "%zu", s.used);
		message_id_restore(&s);
	}
	message_id_free(&s);
}

static void
check_wrong(void)
{
	static char *const bad[] = {"", "2d711642b726b04", "2d711642b726b0444",
	    "2D711642b726b044", "2d711642b726b04g", " d711642b726b044"};
	struct message_ids s = {0};
	const char *wrong;

	for (size_t i = 0; i < check_n(bad); i++) {
		char *const texts[] = {given[0], bad[i]};

		check(
		    message_id_set(&s, texts, 2, &wrong) < 0 && wrong == bad[i],
		    "'%s'", bad[i]);
		check(s.n == 0, "'%s' leaves none", bad[i]);
	}
}

int
main(void)
{
	check_ids();
	check_use();
	check_wrong();
	return check_end();
}
