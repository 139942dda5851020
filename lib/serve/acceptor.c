/* Listening sockets, and when connections are accepted. */
#include "serve/acceptor.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"

enum {
	BATCH = 64,       /* accepted on a socket in one turn of the loop */
	RETRY_MS = 100,   /* after the system had no descriptor left */
	RESERVED_FDS = 80 /* standard ones, epoll, listeners, metrics */
};

static int watch(struct acceptor *a, const struct listener *l, int n,
    uint8_t role, const char **ret_why);
static void be_ready(struct loop_fd *w, uint32_t events);
static int admit(struct acceptor_socket *s);
static void watch_all(struct acceptor *a, uint32_t events);

void
acceptor_init(struct acceptor *a, struct conns *conns,
    const struct acceptor_limits *limits)
{
	struct rlimit r;

	a->conns = conns;
	a->set = *limits;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) < 0)
			(void)getrlimit(RLIMIT_NOFILE, &r);
	}
	if (r.rlim_cur > RESERVED_FDS)
		a->set.max_conns =
		    num_min_size(a->set.max_conns, r.rlim_cur - RESERVED_FDS);
}

size_t
acceptor_room(size_t max_conns)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_max <= RESERVED_FDS)
		return max_conns;
	return num_min_size(max_conns, r.rlim_max - RESERVED_FDS);
}

static bool
is_full(const struct acceptor *a)
{
	return a->conns->count >= a->set.max_conns + a->set.max_surplus;
}

int
acceptor_open(
    struct acceptor *a, const char *addr, uint8_t role, const char **ret_why)
{
	struct listener l[LISTEN_MAX];
	int n = listen_open(addr, l, LISTEN_MAX - (int)a->n, ret_why);

	return n < 0 ? -1 : watch(a, l, n, role, ret_why);
}

int
acceptor_inherit(struct acceptor *a, uint8_t role, const char **ret_why)
{
	struct listener l[LISTEN_MAX];
	int n = listen_inherit(l, LISTEN_MAX - (int)a->n, ret_why);

	if (n < 0 || watch(a, l, n, role, ret_why) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		a->sockets[a->n - 1 - (size_t)i].inherited = true;
	return n;
}

static int
watch(struct acceptor *a, const struct listener *l, int n, uint8_t role,
    const char **ret_why)
{
	for (int i = 0; i < n; i++) {
		struct acceptor_socket *s = &a->sockets[a->n++];

		*s = (struct acceptor_socket){
		    .watch = {.ready = be_ready, .fd = l[i].fd},
		    .listener = l[i],
		    .role = role,
		    .all = a};
		if (loop_set(a->conns->loop, &s->watch, EPOLLIN) < 0) {
			*ret_why = strerror(errno);
			return -1;
		}
	}
	return 0;
}

bool
acceptor_is_local(const struct acceptor *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (!listen_is_local(&a->sockets[i].listener))
			return false;
	return true;
}

bool
acceptor_is_outlived(const struct acceptor *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (!a->sockets[i].inherited)
			return false;
	return a->n > 0;
}

int
acceptor_ports(const struct acceptor *a, struct buf *out)
{
	for (size_t i = 0; i < a->n; i++) {
		int port = listen_port(&a->sockets[i].listener);

		if (port > 0 && buf_addf(out, "%d\n", port) < 0)
			return -1;
	}
	return 0;
}

static void
be_ready(struct loop_fd *w, uint32_t events)
{
	struct acceptor_socket *s = (struct acceptor_socket *)w;
	struct acceptor *a = s->all;

	(void)events;
	for (int i = 0; i < BATCH && !a->paused; i++) {
		if (is_full(a)) {
			a->paused = true;
			a->retry_ms = IO_FOREVER; /* until a connection ends */
		} else if (admit(s) < 0) {
			if (errno == EAGAIN)
				return;
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			a->paused = true; /* EMFILE, ENFILE, ENOMEM, ENOBUFS */
			a->retry_ms = clock_ms() + RETRY_MS;
		}
	}
	if (a->paused)
		watch_all(a, 0);
}

static int
admit(struct acceptor_socket *s)
{
	const struct acceptor_limits *set = &s->all->set;
	struct conns *conns = s->all->conns;
	struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
	struct sockaddr *addr = (struct sockaddr *)&at;
	socklen_t len = sizeof at;
	int fd = accept4(s->watch.fd, addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	bool surplus = conns->count - conns->surplus >= set->max_conns;

	if (fd < 0)
		return -1;
	return conn_open(conns, fd,
	    &(struct origin){.peer = address_of(addr),
		.role = s->role,
		.surplus = surplus,
		.brief = set->brief});
}

int64_t
acceptor_tick(struct acceptor *a, int64_t now_ms)
{
	if (!a->paused)
		return IO_FOREVER;
	if (is_full(a) || (a->retry_ms != IO_FOREVER && now_ms < a->retry_ms))
		return a->retry_ms;
	a->paused = false;
	watch_all(a, EPOLLIN);
	return IO_FOREVER;
}

static void
watch_all(struct acceptor *a, uint32_t events)
{
	for (size_t i = 0; i < a->n; i++)
		(void)loop_set(a->conns->loop, &a->sockets[i].watch, events);
}

void
acceptor_close(struct acceptor *a)
{
	for (size_t i = 0; i < a->n; i++) {
		loop_forget(a->conns->loop, &a->sockets[i].watch);
		listen_close(&a->sockets[i].listener);
	}
	a->n = 0;
	a->paused = false;
}
