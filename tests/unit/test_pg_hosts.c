/* Hosts of connection strings with their addresses. */
#include "postgres/pg_hosts.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "net/resolve.h"

/* What the lists become, with bars between them; "same": as they were told. */
static const char *
found(const char *host, const char *hostaddr, const char *port)
{
	static char text[REASON_MAX * 2], why[REASON_MAX];
	const struct pg_hosts_lists told = {host, hostaddr, port};
	struct pg_hosts *h = pg_hosts_open(&told);
	struct pg_hosts_lists l;
	int known = 0;

	check(h != NULL, "memory");
	check(pg_hosts_are(h, &told), "are");
	while ((known = pg_hosts_look(h, &l, why)) == 0)
		poll(NULL, 0, RESOLVE_LOOK_MS);
	if (known < 0)
		snprintf(text, sizeof text, "%s", why);
	else if (l.host == NULL)
		snprintf(text, sizeof text, "same");
	else
		snprintf(
		    text, sizeof text, "%s|%s|%s", l.host, l.hostaddr, l.port);
	pg_hosts_close(h);
	return text;
}

static void
is(const char *got, const char *wanted)
{
	check(strcmp(got, wanted) == 0, "%s, not %s", got, wanted);
}

static void
lists(void)
{
	is(found(NULL, NULL, "5432"), "same");
	is(found("", "", "5432"), "same");
	is(found("/run/a,@b,", NULL, "1,2,3"), "same");
	is(found("name", "10.0.0.1", "5432"), "same");
	is(found("10.0.0.1", NULL, "5432"), "10.0.0.1|10.0.0.1|5432");
	is(found("10.0.0.1,::1,/run/a", NULL, "7"),
	    "10.0.0.1,::1,/run/a|10.0.0.1,::1,|7,7,7");
	is(found("/run/a,10.0.0.1", NULL, "7,8"),
	    "/run/a,10.0.0.1|,10.0.0.1|7,8");
	is(found("a,10.0.0.2", "10.0.0.1,", "7,8"),
	    "a,10.0.0.2|10.0.0.1,10.0.0.2|7,8");
	/* libpq says what does not fit together. */
	is(found("a,b", "10.0.0.1", "7"), "same");
	is(found("a,b", NULL, "7,8,9"), "same");
}

/* One without addresses is left out, if there is another one. */
static void
names(void)
{
	const char *got = found("localhost,10.0.0.1", NULL, "7,8");
	const char *last = strrchr(got, ',');

	check(strncmp(got, "localhost,", 10) == 0, "%s", got);
	check(strstr(got, "|127.0.0.1,") != NULL || strstr(got, "|::1,"), "%s",
	    got);
	check(last != NULL && strcmp(last, ",8") == 0, "%s", got);
	is(found("no host,10.0.0.1", NULL, "7,8"), "10.0.0.1|10.0.0.1|8");
	got = found("no host", NULL, "7");
	check(strstr(got, "could not translate host name \"no host\" to "
			  "address: ") == got,
	    "%s", got);
}

static void
again(void)
{
	const struct pg_hosts_lists told = {"::1", NULL, "7"},
				    other = {"::1", NULL, "8"};
	struct pg_hosts *h = pg_hosts_open(&told);
	struct pg_hosts_lists l;
	char why[REASON_MAX];

	check(h != NULL && !pg_hosts_are(h, &other), "other");
	for (int i = 0; i < 3; i++) {
		check(pg_hosts_look(h, &l, why) == 1, "%s", why);
		is(l.hostaddr, "::1");
	}
	pg_hosts_close(h);
}

int
main(void)
{
	lists();
	names();
	again();
	return check_end();
}
