#include "serve/acceptor.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/io.h"
#include "http/conn.h"
#include "net/listen.h"
#include "net/loop.h"

enum {
	BATCH = 64,       /* accepted before others get their turn */
	SURPLUS = 16,     /* connections over the limit, to be told so */
	RETRY_MS = 100,   /* after the system had no descriptor left */
	RESERVED_FDS = 64 /* standard ones, epoll, listeners, metrics */
};

struct door {
	struct loop_fd watch; /* first: its address is the door's */
	struct listener listener;
	uint8_t role;
};

static struct door doors[LISTEN_MAX];
static size_t n_doors, max_conns;
static bool paused;
static int64_t retry_ms;

static int admit_to(
    const struct listener *l, int n, uint8_t role, const char **ret_why);
static void be_ready(struct loop_fd *w, uint32_t events);
static int admit(struct door *d);
static void listen_to_all(uint32_t events);

void
acceptor_limit(size_t wanted)
{
	struct rlimit r;

	max_conns = wanted;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) < 0)
			(void)getrlimit(RLIMIT_NOFILE, &r);
	}
	if (r.rlim_cur > RESERVED_FDS && wanted > r.rlim_cur - RESERVED_FDS)
		max_conns = r.rlim_cur - RESERVED_FDS;
}

int
acceptor_open(const char *addr, uint8_t role, const char **ret_why)
{
	struct listener l[LISTEN_MAX];
	int n = listen_open(addr, l, LISTEN_MAX - (int)n_doors, ret_why);

	return n < 0 ? -1 : admit_to(l, n, role, ret_why);
}

int
acceptor_inherit(uint8_t role, const char **ret_why)
{
	struct listener l[LISTEN_MAX];
	int n = listen_inherit(l, LISTEN_MAX - (int)n_doors, ret_why);

	return n < 0 || admit_to(l, n, role, ret_why) < 0 ? -1 : n;
}

static int
admit_to(const struct listener *l, int n, uint8_t role, const char **ret_why)
{
	for (int i = 0; i < n; i++) {
		struct door *d = &doors[n_doors++];

		*d = (struct door){.watch = {.ready = be_ready, .fd = l[i].fd},
		    .listener = l[i],
		    .role = role};
		if (loop_set(&d->watch, EPOLLIN) < 0) {
			*ret_why = strerror(errno);
			return -1;
		}
	}
	return 0;
}

bool
acceptor_is_local(void)
{
	for (size_t i = 0; i < n_doors; i++)
		if (!listen_is_local(&doors[i].listener))
			return false;
	return true;
}

int
acceptor_ports(struct buf *out)
{
	for (size_t i = 0; i < n_doors; i++) {
		int port = listen_port(&doors[i].listener);

		if (port > 0 && buf_addf(out, "%d\n", port) < 0)
			return -1;
	}
	return 0;
}

static void
be_ready(struct loop_fd *w, uint32_t events)
{
	struct door *d = (struct door *)w;

	(void)events;
	for (int i = 0; i < BATCH && !paused; i++) {
		if (conn_count() >= max_conns + SURPLUS) {
			paused = true;
			retry_ms = IO_FOREVER; /* until a connection ends */
		} else if (admit(d) < 0) {
			if (errno == EAGAIN)
				return;
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			paused = true; /* EMFILE, ENFILE, ENOMEM, ENOBUFS */
			retry_ms = clock_ms() + RETRY_MS;
		}
	}
	if (paused)
		listen_to_all(0);
}

static int
admit(struct door *d)
{
	struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
	struct sockaddr *addr = (struct sockaddr *)&at;
	socklen_t len = sizeof at;
	int fd = accept4(d->watch.fd, addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -1
		      : conn_open(
			    fd, &(struct conn_from){.peer = address_of(addr),
				    .role = d->role,
				    .surplus = conn_count() - conn_surplus() >=
					       max_conns});
}

int64_t
acceptor_tick(int64_t now_ms)
{
	if (!paused)
		return IO_FOREVER;
	if (conn_count() >= max_conns + SURPLUS ||
	    (retry_ms != IO_FOREVER && now_ms < retry_ms))
		return retry_ms;
	paused = false;
	listen_to_all(EPOLLIN);
	return IO_FOREVER;
}

static void
listen_to_all(uint32_t events)
{
	for (size_t i = 0; i < n_doors; i++)
		(void)loop_set(&doors[i].watch, events);
}

void
acceptor_close(void)
{
	for (size_t i = 0; i < n_doors; i++) {
		loop_forget(&doors[i].watch);
		listen_close(&doors[i].listener);
	}
	n_doors = 0;
	paused = false;
}
