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
	char text[MESSAGE_ID_TEXT + 1];
	uint64_t name;

	check(message_id_of("x", 1, &name) == 0, "x");
	message_id_format(name, text);
	check(strcmp(text, said[0]) == 0, "%s", text);
	check(message_id_of("", 0, &name) == 0, "nothing");
	message_id_format(name, text);
	check(strcmp(text, said[1]) == 0, "%s", text);
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
	check(message_id_set(&s, said, check_n(said), &wrong) == 0, "three");
	for (int i = 0; i < 2; i++) {
		check(!message_id_use(&s, other), "not said");
		check(message_id_use(&s, x) && message_id_use(&s, x),
		    "said twice");
		check(!message_id_use(&s, x), "not three times");
		check(
		    message_id_use(&s, nothing) && !message_id_use(&s, nothing),
		    "said once");
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
		char *const texts[] = {said[0], bad[i]};

		check(
		    message_id_set(&s, texts, 2, &wrong) < 0 && wrong == bad[i],
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
