/* Tells a service manager of this process, as sd_notify(3) does. */
#include "base/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"

enum {
	STATUS_MAX = 256,
	AGAIN_MS = 100, /* until what could not be sent is tried again */
	FEEDS = 3       /* per WATCHDOG_USEC */
};

static struct {
	int fd; /* connected, or -1 */
	int64_t opened_ms;
	int64_t feed_ms; /* between two signs of life; 0: none wanted */
	int64_t next_ms; /* of the next one */
	enum notify_state state, told;
	char status[STATUS_MAX], told_status[STATUS_MAX];
} n = {.fd = -1};

static int connect_to(const char *name);
static void read_watchdog(void);
static bool tell_state(void);
static bool tell_status(void);
static bool send_text(const char *text);

int
notify_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");

	if (n.fd >= 0)
		close(n.fd);
	memset(&n, 0, sizeof n);
	n.fd = -1;
	if (name == NULL || *name == '\0')
		return 0;
	n.opened_ms = clock_ms();
	n.fd = connect_to(name);
	if (n.fd < 0)
		return -1;
	read_watchdog();
	return 0;
}

/* The descriptor, or -1 with errno. */
static int
connect_to(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	socklen_t size =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	int fd, saved;

	if ((*name != '/' && *name != '@') || len < 2 ||
	    len >= sizeof address.sun_path) {
		errno = EINVAL;
		return -1;
	}
	memcpy(address.sun_path, name, len);
	if (*name == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, size) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
read_watchdog(void)
{
	const char *text = getenv("WATCHDOG_USEC"),
		   *owner = getenv("WATCHDOG_PID");
	uint64_t usec, pid;

	if (text == NULL || num_u64(text, 1, INT64_MAX, &usec) < 0)
		return;
	if (owner != NULL &&
	    (num_u64(owner, 1, INT32_MAX, &pid) < 0 || (pid_t)pid != getpid()))
		return;
	n.feed_ms = (int64_t)(usec / 1000 / FEEDS);
	if (n.feed_ms == 0)
		n.feed_ms = 1;
}

bool
notify_off(void)
{
	return n.fd < 0;
}

void
notify_state(enum notify_state state)
{
	n.state = state;
}

void
notify_status(const char *text)
{
	size_t i = 0;

	for (; i < STATUS_MAX - 1 && text[i] != '\0'; i++)
		n.status[i] =
		    (unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~'
			? '?'
			: text[i];
	n.status[i] = '\0';
}

int64_t
notify_ready_due(void)
{
	return n.fd < 0 || n.state != NOTIFY_STARTING
		   ? IO_FOREVER
		   : n.opened_ms + NOTIFY_START_MS;
}

int64_t
notify_tick(int64_t now_ms, bool stuck)
{
	if (n.fd < 0)
		return IO_FOREVER;
	if (!tell_state() || !tell_status())
		return now_ms + AGAIN_MS;
	if (n.feed_ms == 0)
		return notify_ready_due();
	if (now_ms >= n.next_ms) {
		if (!stuck && !send_text("WATCHDOG=1"))
			return now_ms + AGAIN_MS;
		n.next_ms = now_ms + n.feed_ms;
	}
	return num_min(n.next_ms, notify_ready_due());
}

static bool
tell_state(void)
{
	static const char *const words[] = {[NOTIFY_STARTING] = "",
	    [NOTIFY_READY] = "READY=1",
	    [NOTIFY_RELOADING] = "RELOADING=1",
	    [NOTIFY_STOPPING] = "STOPPING=1"};
	char text[64];
	int len;

	if (n.told == n.state)
		return true;
	len = snprintf(text, sizeof text, "%s", words[n.state]);
	/* By which Type=notify-reload knows of which SIGHUP it is. */
	if (n.state == NOTIFY_RELOADING)
		snprintf(text + len, sizeof text - (size_t)len,
		    "\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
	if (!send_text(text))
		return false;
	n.told = n.state;
	return true;
}

static bool
tell_status(void)
{
	char text[sizeof "STATUS=" + STATUS_MAX];

	if (strcmp(n.told_status, n.status) == 0)
		return true;
	snprintf(text, sizeof text, "STATUS=%s", n.status);
	if (!send_text(text))
		return false;
	memcpy(n.told_status, n.status, sizeof n.status);
	return true;
}

/* False: there is no room now.  Whoever is gone needs not be told. */
static bool
send_text(const char *text)
{
	return send(n.fd, text, strlen(text), MSG_NOSIGNAL) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}
