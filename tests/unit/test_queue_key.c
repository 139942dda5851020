/* The names of a queue's keys. */
#include "queue/queue_key.h"

#include <string.h>

#include "check.h"
#include "record/queue_name.h"

static void
expect(
    enum queue_key_owner owner, bool cluster, const char *rest, const char *is)
{
	char key[256];

	queue_key(key, sizeof key, owner, "a.3", cluster, rest);
	check(strcmp(key, is) == 0, "%s", key);
}

int
main(void)
{
	expect(QUEUE_KEY_RMQ, false, "ready", "rmq::queue::[a.3]::ready");
	expect(QUEUE_KEY_RMQ, true, "ready", "rmq::queue::{a.3}::ready");
	expect(QUEUE_KEY_INCR, false, "totals", "incr::queue::[a.3]::totals");
	expect(QUEUE_KEY_INCR, true, "totals", "incr::queue::{a.3}::totals");
	/* Braces in a name would hide what is hashed. */
	check(!queue_name_is_valid("a{b", 3), "a{b");
	check(!queue_name_is_valid("a}b", 3), "a}b");
	return check_end();
}
