#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { PIPE_SIZE = 1 << 20 };

static void add_signal(sigset_t *set, int sig);

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
	char path[sizeof "/proc/self/fd/" + 3 * sizeof fd];
	struct stat st;
	int again;

	signal(SIGPIPE, SIG_IGN);
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (again < 0)
		return;
	if (dup2(again, fd) == fd)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE); /* a wish only */
	close(again);
}

int64_t
io_write_some(int fd, const void *p, size_t n)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	ssize_t done;

	/* A pipe with room takes PIPE_BUF bytes without blocking, pipe(7). */
	if (flags >= 0 && (flags & O_NONBLOCK) == 0 && n > 0 &&
	    fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		if (poll(&pfd, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		n = n > PIPE_BUF ? PIPE_BUF : n;
		if (S_ISSOCK(st.st_mode))
			return send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	do
		done = write(fd, p, n);
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

int
io_signals(const int *more)
{
	sigset_t set;

	sigemptyset(&set);
	add_signal(&set, SIGTERM);
	add_signal(&set, SIGINT);
	for (; more != NULL && *more != 0; more++)
		add_signal(&set, *more);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void
add_signal(sigset_t *set, int sig)
{
	struct sigaction was;

	if (sigaction(sig, NULL, &was) == 0 && was.sa_handler != SIG_IGN)
		sigaddset(set, sig);
}

int
io_signal(int fd)
{
	static int interrupts;
	struct signalfd_siginfo info;
	sigset_t set;

	if (read(fd, &info, sizeof info) != (ssize_t)sizeof info)
		return 0;
	if (info.ssi_signo == SIGINT && ++interrupts == 2) {
		signal(SIGINT, SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, SIGINT);
		raise(SIGINT);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
	}
	return (int)info.ssi_signo;
}
