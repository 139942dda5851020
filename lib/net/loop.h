/*
 * An epoll(7) loop: waiting for many descriptors.
 */
#ifndef INCR_LOOP_H
#define INCR_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "net/judged_time.h"

/* Set up by loop_open(). */
struct loop {
	int epoll_fd;
	struct judged_time time; /* may be read: now_ms */
	unsigned crowded;        /* looks in a row that had no room for all */
};

/*
 * One descriptor and the function to call when it is ready.  Lives inside the
 * object it wakes, usually as its first member; all zero but fd and ready is
 * one that is not watched yet.  ready may close other descriptors' objects
 * only if they are not freed before loop_wait returns.
 */
struct loop_fd {
	void (*ready)(struct loop_fd *w, uint32_t events);
	int fd;
	uint32_t events; /* as watched now, EPOLLERR included; 0: not at all */
};

/* 0, or -1 with errno. */
int loop_open(struct loop *l);

/*
 * Watches for events (EPOLLIN, EPOLLOUT, 0: only for errors and hang-ups).
 * No system call if nothing changes.  Register EPOLLOUT only while there is
 * something to write: on a Unix socket each read of the peer wakes it.
 * 0, or -1 with errno; EPERM: a file, which is always ready.
 */
int loop_set(const struct loop *l, struct loop_fd *w, uint32_t events);

/* Watches it no more; not needed before close(2). */
void loop_forget(const struct loop *l, struct loop_fd *w);

/*
 * Waits until deadline_ms (clock_ms, of judged_time_due()) or something is
 * ready, then calls.  Time limits are judged by l->time.now_ms: ready was
 * called for all that had come by then.  0, or -1 with errno.
 */
int loop_wait(struct loop *l, int64_t deadline_ms);

/* Closes the loop itself; what it watches stays open. */
void loop_close(struct loop *l);

#endif
