/* Polls and writes descriptors without blocking longer than told. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/num.h"

enum { PIPE_SIZE = 1 << 20, SHOWN_MAX = 1024 /* bytes at once */ };

/* How a descriptor is written without ever blocking. */
enum way {
	WHOLE,     /* write(2): it never blocks, or says EAGAIN */
	BY_SEND,   /* send(2) with MSG_DONTWAIT */
	IN_PIECES, /* PIPE_BUF bytes once poll(2) says that there is room */
	ESCAPED    /* to a terminal: IN_PIECES, what it would obey as \xHH */
};

/* The one of io_output; -1: none. */
static struct {
	int fd;
	enum way way;
} output = {.fd = -1};

static enum way way_of(int fd, const struct stat *st);
static int reopen(int fd);
static int64_t write_escaped(int fd, const unsigned char *p, size_t n);
static int64_t write_once(int fd, const void *p, size_t n, bool is_socket);

void
io_hold(void)
{
	static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};

	for (int fd = 0; fd <= 2; fd++)
		/* open(2) gives the lowest number that is free: this one. */
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", modes[fd]);
}

int
io_poll(struct pollfd *fds, nfds_t n, int64_t deadline_ms)
{
	for (;;) {
		int64_t left = -1;
		int ready;

		if (deadline_ms != IO_FOREVER) {
			left = deadline_ms - clock_ms();
			left = left < 0 ? 0 : left > INT_MAX ? INT_MAX : left;
		}
		ready = poll(fds, n, (int)left);
		if (ready >= 0 || errno != EINTR)
			return ready;
	}
}

int
io_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void
io_output(int fd)
{
	struct stat st;

	signal(SIGPIPE, SIG_IGN);
	if (fstat(fd, &st) < 0)
		return;
	output.fd = fd;
	output.way = way_of(fd, &st);
	if (S_ISFIFO(st.st_mode) && reopen(fd) == 0) {
		output.way = WHOLE;
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE); /* a wish */
	} else if (output.way == ESCAPED) {
		(void)reopen(fd);
	}
}

static enum way
way_of(int fd, const struct stat *st)
{
	enum { MEM = 1 }; /* null, zero, full: mem(4) */

	if (S_ISSOCK(st->st_mode))
		return BY_SEND;
	if (S_ISREG(st->st_mode) ||
	    (S_ISCHR(st->st_mode) && major(st->st_rdev) == MEM))
		return WHOLE;
	return S_ISCHR(st->st_mode) && isatty(fd) ? ESCAPED : IN_PIECES;
}

/* Gives a pipe or terminal an open file description of its own, which does
 * not block. */
static int
reopen(int fd)
{
	char path[sizeof "/proc/self/fd/" + 3 * sizeof fd];
	int again, result;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (again < 0)
		return -1;
	result = dup2(again, fd) == fd ? 0 : -1;
	close(again);
	return result;
}

int
io_finish(int fd)
{
	if (fd == output.fd)
		output.fd = -1;
	return close(fd);
}

int64_t
io_write_some(int fd, const void *p, size_t n)
{
	enum way way = output.way;
	struct stat st;

	if (fd != output.fd)
		way = fstat(fd, &st) < 0 ? WHOLE : way_of(fd, &st);
	if ((way == IN_PIECES || way == ESCAPED) && n > 0) {
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};

		if (poll(&pfd, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		/* With room, it takes so much without blocking, pipe(7). */
		n = num_min_size(n, PIPE_BUF);
	}
	if (way == ESCAPED)
		return write_escaped(fd, p, n);
	return write_once(fd, p, n, way == BY_SEND);
}

/* A line and its TABs stay what they are.  A byte whose escape was written in
 * part counts as not written; the next call, which begins with it, goes on
 * there. */
static int64_t
write_escaped(int fd, const unsigned char *p, size_t n)
{
	static size_t begun; /* bytes of the escape of p[0] */
	char text[SHOWN_MAX] = "";
	size_t size[SHOWN_MAX / ESCAPE_MAX], len = 0, i;
	int64_t done;

	n = num_min_size(n, SHOWN_MAX / ESCAPE_MAX);
	for (i = 0; i < n; i++) {
		size[i] = 1;
		if (p[i] == '\n' || p[i] == '\t')
			text[len] = (char)p[i];
		else
			size[i] = escape_byte(p[i], text + len);
		len += size[i];
	}
	done = write_once(fd, text + begun, len - begun, false);
	if (done < 0)
		return -1;
	begun += (size_t)done;
	for (i = 0; i < n && begun >= size[i]; i++)
		begun -= size[i];
	if (i == 0 && n > 0) {
		errno = EAGAIN;
		return -1;
	}
	return (int64_t)i;
}

static int64_t
write_once(int fd, const void *p, size_t n, bool is_socket)
{
	ssize_t done;

	do
		done = is_socket ? send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL)
				 : write(fd, p, n);
	while (done < 0 && errno == EINTR);
	return done;
}

int
io_write_all(int fd, const void *p, size_t n, int64_t deadline_ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	const char *from = p;

	while (n > 0) {
		int64_t done = io_write_some(fd, from, n);

		if (done > 0) {
			from += done;
			n -= (size_t)done;
			continue;
		}
		if (done < 0 && errno != EAGAIN)
			return -1;
		switch (io_poll(&pfd, 1, deadline_ms)) {
		case -1: return -1;
		case 0: errno = ETIMEDOUT; return -1;
		}
	}
	return 0;
}

int
io_reader_gone(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = 0};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLERR | POLLHUP));
}
