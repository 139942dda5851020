/*
 * Hosts one after the other: rounds, and where the next one begins.
 */
#include <string.h>

#include "check.h"
#include "redis/endpoints.h"

static const struct url_host hosts[] = {
    {"127.0.0.1", 1}, {"127.0.0.2", 2}, {"::1", 3}};

/* The host whose turn it is, by its address and its port. */
static void
check_turn(struct endpoints *e, size_t i)
{
	char address[RESOLVE_TEXT];
	const char *why;

	check(endpoints_next(e, address, &why) == 1, "host %zu", i);
	check(strcmp(address, hosts[i].name) == 0, "%s", address);
	check(endpoints_host(e) == &hosts[i], "host %zu", i);
}

static void
check_rounds(struct endpoints *e)
{
	for (int round = 0; round < 2; round++) {
		check_turn(e, 0);
		check(endpoints_advance(e), "after the first");
		check_turn(e, 1);
		check(endpoints_advance(e), "after the second");
		check_turn(e, 2);
		check(!endpoints_advance(e), "after the last");
	}
}

/* The host that was good has the first turn, and a round is all hosts. */
static void
check_restart(struct endpoints *e)
{
	check_turn(e, 0);
	check(endpoints_advance(e), "after the first");
	check_turn(e, 1);
	endpoints_restart(e);
	check_turn(e, 1);
	check(endpoints_advance(e), "one of three");
	check_turn(e, 2);
	check(endpoints_advance(e), "two of three");
	check_turn(e, 0);
	check(!endpoints_advance(e), "three of three");
	check_turn(e, 1);
}

static void
check_one(struct endpoints *e)
{
	endpoints_set(e, &hosts[2], 1);
	check_turn(e, 2);
	check(!endpoints_advance(e), "it is all");
	check_turn(e, 2);
}

int
main(void)
{
	struct endpoints e = {0};

	endpoints_set(&e, hosts, check_n(hosts));
	check_rounds(&e);
	check_restart(&e);
	check_one(&e);
	/* Set again in the middle of a round: from the first on. */
	endpoints_set(&e, hosts, check_n(hosts));
	check_rounds(&e);
	endpoints_clear(&e);
	check(e.n_hosts == 0 && e.resolve == NULL, "cleared");
	endpoints_clear(&e);
	return check_end();
}
