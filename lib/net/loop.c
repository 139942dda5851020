/* Descriptors that are watched by epoll(7). */
#include "net/loop.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

enum { EVENTS_MAX = 256 };

int
loop_open(struct loop *l)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -1 : 0;
}

int
loop_set(const struct loop *l, struct loop_fd *w, uint32_t events)
{
	struct epoll_event e = {.events = events | EPOLLERR, .data.ptr = w};
	int op = w->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (w->events == e.events)
		return 0;
	if (epoll_ctl(l->epoll_fd, op, w->fd, &e) < 0)
		return -1;
	w->events = e.events;
	return 0;
}

void
loop_forget(const struct loop *l, struct loop_fd *w)
{
	if (w->events != 0)
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->events = 0;
}

int
loop_wait(const struct loop *l, int64_t deadline_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t left = -1;
	int n;

	if (deadline_ms != IO_FOREVER) {
		left = deadline_ms - clock_ms();
		left = left < 0 ? 0 : left > INT_MAX ? INT_MAX : left;
	}
	n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, (int)left);
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	for (int i = 0; i < n; i++) {
		struct loop_fd *w = events[i].data.ptr;

		w->ready(w, events[i].events);
	}
	return 0;
}

void
loop_close(struct loop *l)
{
	close(l->epoll_fd);
	l->epoll_fd = -1;
}
