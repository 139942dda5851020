/*
 * Writing never blocks, whatever the descriptor is, takes few calls, and
 * leaves alone who shares the descriptor.
 */
#include "base/clock.h"
#include "base/escape.h"
#include "base/io.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

enum { BIG = 1 << 20 };

static char big[BIG];
static size_t at_most = BIG; /* that write(2) takes */
static unsigned asked;       /* how often io.c wanted to know the flags */

/* These two in place of the C library's. */
int
fcntl(int fd, int command, ...)
{
	va_list ap;
	long arg;

	va_start(ap, command);
	arg = va_arg(ap, long);
	va_end(ap);
	asked += command == F_GETFL;
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	return syscall(SYS_write, fd, p, n < at_most ? n : at_most);
}

static bool
is_blocking(int fd)
{
	return (syscall(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK) == 0;
}

/* Writes until it would block.  The number of bytes, -1 after an error;
 * *ret_calls tells how often. */
static int64_t
fill(int fd, unsigned *ret_calls)
{
	int64_t all = 0, n;

	*ret_calls = 0;
	while ((n = io_write_some(fd, big, BIG)) > 0 && all < 100 * BIG) {
		all += n;
		++*ret_calls;
	}
	return n < 0 && errno == EAGAIN ? all : -1;
}

static void
whole(void)
{
	char name[] = "/tmp/test_io.XXXXXX";
	int file = mkstemp(name), null = open("/dev/null", O_WRONLY);

	unlink(name);
	check(io_write_some(file, big, BIG) == BIG, "a file");
	check(io_write_some(null, big, BIG) == BIG, "/dev/null");
	io_output(null);
	check(io_write_some(null, big, BIG) == BIG, "/dev/null");
	check(io_finish(null) == 0, "finish");
	check(io_finish(null) == -1 && errno == EBADF, "twice");
	check(io_write_some(null, big, 1) == -1 && errno == EBADF, "closed");
	close(file);
}

static void
pipes(void)
{
	int fds[2], shared;
	unsigned calls;
	int64_t n;

	if (pipe(fds) < 0)
		exit(1);
	/* As it is: in pieces. */
	n = fill(fds[1], &calls);
	check(n >= PIPE_BUF && n == (int64_t)calls * PIPE_BUF, "%jd in %u",
	    (intmax_t)n, calls);
	close(fds[0]);
	check(io_reader_gone(fds[1]), "gone");
	close(fds[1]);
	if (pipe(fds) < 0)
		exit(1);
	shared = dup(fds[1]);
	io_output(fds[1]);
	n = fill(fds[1], &calls);
	check(n > PIPE_BUF && calls <= 2, "%jd in %u", (intmax_t)n, calls);
	check(is_blocking(shared) && !is_blocking(fds[1]), "flags");
	check(!io_reader_gone(fds[1]), "there");
	check(io_write_all(fds[1], big, 1, clock_ms() + 20) == -1 &&
		  errno == ETIMEDOUT,
	    "deadline");
	close(fds[0]);
	check(io_write_some(fds[1], big, 1) == -1 && errno == EPIPE, "EPIPE");
	io_finish(fds[1]);
	close(shared);
}

static void
sockets(void)
{
	char name[] = "/tmp/test_io.XXXXXX";
	unsigned calls;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		exit(1);
	io_output(fds[1]);
	check(fill(fds[1], &calls) > PIPE_BUF && is_blocking(fds[1]), "socket");
	io_finish(fds[1]);
	/* What is opened next has its number. */
	check(mkstemp(name) == fds[1], "number");
	unlink(name);
	check(io_write_some(fds[1], big, BIG) == BIG, "a file");
	close(fds[1]);
	close(fds[0]);
}

/* Nobody reads what is written to the terminal. */
static void
terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, shared;
	unsigned calls;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		exit(1);
	slave = open(ptsname(master), O_WRONLY | O_NOCTTY);
	shared = dup(slave);
	io_output(slave);
	check(fill(slave, &calls) > 0, "terminal");
	check(is_blocking(shared) && !is_blocking(slave), "flags");
	io_finish(slave);
	close(shared);
	close(master);
}

/* Opens a terminal that writes bytes as it gets them.  Its master. */
static int
open_terminal(int *ret_slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	struct termios raw;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		exit(1);
	*ret_slave = open(ptsname(master), O_WRONLY | O_NOCTTY);
	if (tcgetattr(master, &raw) < 0)
		exit(1);
	cfmakeraw(&raw);
	if (tcsetattr(master, TCSANOW, &raw) < 0)
		exit(1);
	return master;
}

/* Reads until nothing is left, n bytes at once. */
static size_t
read_all(int master, char *ret, size_t n)
{
	size_t all = 0;
	ssize_t more;

	while ((more = read(master, ret + all, n)) > 0)
		all += (size_t)more;
	return all;
}

/* A terminal is shown what it would obey, also where it takes a part of an
 * escape only. */
static void
escapes(void)
{
	static const char escape[] = "\\x9b", shown[] = "a\\x1b\t\n\\xc3";
	static char got[BIG];
	int slave, master = open_terminal(&slave);
	size_t n;
	int64_t done = 0, some;

	check(io_write_all(slave, "a\x1b\t\n\xc3", 5, IO_FOREVER) == 0, "all");
	n = read_all(master, got, sizeof shown);
	check(n == sizeof shown - 1 && memcmp(got, shown, n) == 0, "%.*s",
	    (int)n, got);
	memset(big, 0x9b, BIG);
	io_output(slave);
	for (int turn = 0; turn < 1000; turn++) {
		at_most = 1 + (size_t)turn % 7;
		some = io_write_some(slave, big, BIG);
		check(some > 0 || errno == EAGAIN, "errno %d", errno);
		done += some > 0 ? some : 0;
	}
	at_most = BIG;
	n = read_all(master, got, BIG);
	check(done > 0 && n / ESCAPE_MAX == (size_t)done, "%zu for %jd bytes",
	    n, (intmax_t)done);
	for (size_t i = 0; i < n; i++)
		if (got[i] != escape[i % ESCAPE_MAX]) {
			check(false, "byte %zu", i);
			break;
		}
	io_finish(slave);
	close(master);
}

int
main(void)
{
	whole();
	pipes();
	sockets();
	terminal();
	escapes();
	check(asked == 0, "F_GETFL: %u times", asked);
	return check_end();
}
