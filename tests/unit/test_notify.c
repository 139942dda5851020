/* What a service manager is told: over both kinds of sockets, once, never more
 * than one assignment, and again what had no room. */
#include "base/notify.h"
#include "check.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

static char folder[] = "/tmp/incr-notify.XXXXXX", name[64];
static int manager = -1;

/* A manager at NOTIFY_SOCKET; name has @ in place of the first NUL. */
static void
listen_at(const char *text)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(name, sizeof name, "%s", text);
	memcpy(a.sun_path, name, strlen(name));
	if (*name == '@')
		a.sun_path[0] = '\0';
	if (manager >= 0)
		close(manager);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	check(bind(manager, (struct sockaddr *)&a,
		  (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			      strlen(name))) == 0,
	    "%s: %s", name, strerror(errno));
	setenv("NOTIFY_SOCKET", name, 1);
}

/* The next message, or "". */
static const char *
heard(void)
{
	static char text[1024];
	ssize_t n = recv(manager, text, sizeof text - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

#define HEARS(expected) \
	do { \
		const char *got_ = heard(); \
		check(strcmp(got_, expected) == 0, "%s, not %s", got_, \
		    expected); \
	} while (0)

/* A reload says when it began, by the clock of the manager. */
static void
hears_reload(void)
{
	static const char said[] = "RELOADING=1\nMONOTONIC_USEC=";
	const char *got = heard();
	int64_t now_us = clock_monotonic_us();
	char *end;
	long long us;

	check(strncmp(got, said, sizeof said - 1) == 0, "%s", got);
	us = strtoll(got + sizeof said - 1, &end, 10);
	check(*end == '\0' && us > now_us - 60000000 && us <= now_us,
	    "%lld at %lld", us, (long long)now_us);
}

static void
watchdog(const char *usec, const char *pid)
{
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (usec != NULL)
		setenv("WATCHDOG_USEC", usec, 1);
	if (pid != NULL)
		setenv("WATCHDOG_PID", pid, 1);
}

static void
nobody(void)
{
	static const char *const wrong[] = {"x", "/", "@", "/none/at/all",
	    "@incr-test-nobody",
	    ("/a/name/of/more/than/108/bytes/a/name/of/more/than/108/bytes/"
	     "a/name/of/more/than/108/bytes/a/name/of/more/than/108/bytes")};

	unsetenv("NOTIFY_SOCKET");
	check(notify_open() == 0, "none");
	notify_state(NOTIFY_READY);
	check(notify_tick(0, false) == IO_FOREVER, "none is told");
	for (size_t i = 0; i < check_n(wrong); i++) {
		setenv("NOTIFY_SOCKET", wrong[i], 1);
		check(notify_open() < 0, "%s", wrong[i]);
		check(notify_tick(0, false) == IO_FOREVER, "%s", wrong[i]);
		check(notify_ready_due() == IO_FOREVER, "%s", wrong[i]);
	}
}

static void
states(const char *at)
{
	int64_t now_ms = clock_ms();

	listen_at(at);
	watchdog(NULL, NULL);
	check(notify_open() == 0, "%s: %s", at, strerror(errno));
	check(notify_ready_due() > now_ms + NOTIFY_START_MS / 2, "due");
	check(notify_tick(now_ms, false) == notify_ready_due(), "starting");
	HEARS("");
	notify_state(NOTIFY_READY);
	notify_status("counting");
	check(notify_tick(now_ms, false) == IO_FOREVER, "nothing is due");
	HEARS("READY=1");
	HEARS("STATUS=counting");
	notify_state(NOTIFY_READY);
	notify_status("counting");
	notify_tick(now_ms, false);
	HEARS("");
	notify_state(NOTIFY_RELOADING);
	notify_tick(now_ms, false);
	notify_state(NOTIFY_READY);
	notify_tick(now_ms, false);
	notify_state(NOTIFY_STOPPING);
	notify_tick(now_ms, true);
	hears_reload();
	HEARS("READY=1");
	HEARS("STOPPING=1");
	HEARS("");
}

/* What a server says comes into a status: it adds no assignment. */
static void
foreign_text(void)
{
	char longest[2000];
	const char *got;

	notify_status("postgres: no\nMAINPID=1\nWATCHDOG=trigger \x1b[2J\xff");
	notify_tick(0, false);
	HEARS("STATUS=postgres: no?MAINPID=1?WATCHDOG=trigger ?[2J?");
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	notify_status(longest);
	notify_tick(0, false);
	got = heard();
	check(strlen(got) < 300 && strlen(got) > 200, "%zu", strlen(got));
}

static void
signs_of_life(void)
{
	char self[32];
	int64_t due_ms;

	snprintf(self, sizeof self, "%d", (int)getpid());
	watchdog("3000000", self);
	check(notify_open() == 0, "open");
	notify_state(NOTIFY_READY);
	due_ms = notify_tick(5000, false);
	check(due_ms == 6000, "%jd", (intmax_t)due_ms);
	HEARS("READY=1");
	HEARS("WATCHDOG=1");
	notify_tick(5999, false);
	HEARS("");
	notify_tick(6000, false);
	HEARS("WATCHDOG=1");
	/* As long as it is of no use it is not alive. */
	check(notify_tick(7000, true) == 8000, "stuck");
	notify_tick(8000, true);
	HEARS("");
	notify_tick(9000, false);
	HEARS("WATCHDOG=1");
	/* Another process's, or no number. */
	for (int i = 0; i < 4; i++) {
		watchdog(i == 0   ? "0"
			 : i == 1 ? "-1"
				  : "3000000",
		    i == 2   ? "1"
		    : i == 3 ? "x"
			     : self);
		check(notify_open() == 0, "open");
		notify_state(NOTIFY_READY);
		check(notify_tick(5000, false) == IO_FOREVER, "%d", i);
		HEARS("READY=1");
		HEARS("");
	}
	watchdog("3000000", NULL);
	notify_open();
	notify_tick(5000, false);
	HEARS("WATCHDOG=1");
}

/* A manager that does not read holds nobody up, and misses nothing. */
static void
no_room(void)
{
	char text[32];
	int64_t due_ms = 0;
	int sent = 0, got = 0;

	watchdog(NULL, NULL);
	notify_open();
	for (; due_ms != 1000 + 100 && sent < 100000; sent++) {
		snprintf(text, sizeof text, "%d", sent);
		notify_status(text);
		due_ms = notify_tick(1000, false);
	}
	check(sent > 1 && sent < 100000, "%d", sent);
	notify_state(NOTIFY_READY);
	check(notify_tick(1100, false) == 1200, "no room");
	while (strncmp(heard(), "STATUS=", 7) == 0)
		got++;
	check(got == sent - 1, "%d of %d", got, sent);
	check(notify_tick(1200, false) == IO_FOREVER, "room");
	HEARS("READY=1");
	snprintf(text, sizeof text, "STATUS=%d", sent - 1);
	HEARS(text);
	HEARS("");
}

int
main(void)
{
	char path[64], abstract[64];

	check(mkdtemp(folder) != NULL, "%s", folder);
	snprintf(path, sizeof path, "%s/notify", folder);
	snprintf(abstract, sizeof abstract, "@%s", folder + 1);
	nobody();
	states(abstract);
	states(path);
	foreign_text();
	signs_of_life();
	no_room();
	unlink(path);
	rmdir(folder);
	return check_end();
}
