/* Descriptors that are watched by epoll(7). */
#include "net/loop.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

enum {
	EVENTS_MAX = 256,
	CROWDED_MAX = 64 /* by then everybody had a turn */
};

static void looked(struct loop *l, const struct judged_time_look *look, int n);

int
loop_open(struct loop *l)
{
	*l = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
	    .time.now_ms = clock_ms()};
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
loop_wait(struct loop *l, int64_t deadline_ms)
{
	struct judged_time_look look = {.due_ms = deadline_ms};
	struct epoll_event events[EVENTS_MAX];
	int64_t left = -1;
	int n;

	look.looked_ms = clock_ms();
	if (deadline_ms != IO_FOREVER) {
		left = deadline_ms - look.looked_ms;
		left = left < 0 ? 0 : left > INT_MAX ? INT_MAX : left;
	}
	n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, (int)left);
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	look.ended_ms = clock_ms();
	if (n == 0) /* nothing was ready at the end of the time either */
		look.looked_ms += left;
	for (int i = 0; i < n; i++) {
		struct loop_fd *w = events[i].data.ptr;

		w->ready(w, events[i].events);
	}
	looked(l, &look, n);
	return 0;
}

static void
looked(struct loop *l, const struct judged_time_look *look, int n)
{
	if (n == EVENTS_MAX && ++l->crowded < CROWDED_MAX)
		return;
	l->crowded = 0;
	judged_time_looked(&l->time, look);
}

void
loop_close(struct loop *l)
{
	close(l->epoll_fd);
	l->epoll_fd = -1;
}
