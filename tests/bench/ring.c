/*
 * ring PART: a part of incr-ingest without what it is for, so that a ring of
 * these parts shows the least that one of that shape takes.  Each waits, reads
 * and writes as the program in its place does, and judges nothing:
 *
 *	serve FILE
 *		HTTP at a port of 127.0.0.1, written to FILE: the body of a
 *		request is a line of standard output, a line of standard
 *		input is its verdict: 202
 *	validate
 *		standard input is standard output
 *	publish SOCKET HEAD
 *		a line of standard input goes to Redis at SOCKET as the end
 *		of a call that begins as the file HEAD; once Redis has
 *		replied, the line goes to standard output
 *	relay SOCKET
 *		calls of standard input go to Redis, its replies to
 *		standard output
 *
 * One request at a time, in one piece, as wrk sends it over one connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROOM = 1 << 17 };

static char text[ROOM];

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "ring: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
put(const char *p, size_t len)
{
	if (write(STDOUT_FILENO, p, len) != (ssize_t)len)
		die("stdout");
}

/* Length of what came; the end of it is the end of the program. */
static size_t
get(int fd)
{
	ssize_t n = read(fd, text, sizeof text);

	if (n < 0)
		die("read");
	if (n == 0)
		exit(0);
	return (size_t)n;
}

/* -- serve ---------------------------------------------------------------- */

static const char accepted[] = "HTTP/1.1 202 Accepted\r\n"
			       "Date: Sun, 29 Nov 2026 21:22:56 GMT\r\n"
			       "Content-Length: 0\r\n\r\n";

static void
watch(int loop, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

static int
listen_and_tell(const char *path)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	FILE *f = fopen(path, "w");

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (f == NULL || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
	    listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		die(path);
	fprintf(f, "%d\n", ntohs(a.sin_port));
	fclose(f);
	return fd;
}

static void
answer(int client)
{
	send(client, accepted, sizeof accepted - 1, MSG_NOSIGNAL);
}

/* Who waits for a verdict now: the client; -1 if it has gone or has asked for
 * nothing. */
static int
ask(int client)
{
	ssize_t n = recv(client, text, sizeof text - 1, 0);
	char *line = n > 0 ? memmem(text, (size_t)n, "\r\n\r\n", 4) : NULL;

	if (line == NULL) {
		close(client);
		return -1;
	}
	line += 3;
	if (line + 1 == text + n) {
		answer(client);
		return -1;
	}
	line[0] = '\t';
	text[n] = '\n';
	put(line, (size_t)(text + n + 1 - line));
	return client;
}

static _Noreturn void
serve(const char *path)
{
	int loop = epoll_create1(0), door = listen_and_tell(path), client = -1;
	struct epoll_event e;

	watch(loop, door);
	watch(loop, STDIN_FILENO);
	for (;;) {
		/* strace interrupts it when it attaches. */
		if (epoll_wait(loop, &e, 1, -1) != 1)
			continue;
		if (e.data.fd == door) {
			watch(loop, accept(door, NULL, NULL));
		} else if (e.data.fd == STDIN_FILENO) {
			get(STDIN_FILENO);
			answer(client);
		} else {
			client = ask(e.data.fd);
		}
	}
}

/* -- validate, publish ---------------------------------------------------- */

enum { SIGNALS, INPUT, OUTPUT, REDIS, N_FDS };

static struct pollfd fds[N_FDS];

/* As the programs: signals, input, the end of the reader behind, Redis. */
static void
wait_for(int redis)
{
	if (fds[INPUT].events == 0) {
		fds[SIGNALS] = (struct pollfd){eventfd(0, 0), POLLIN, 0};
		fds[INPUT] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
		fds[OUTPUT] = (struct pollfd){STDOUT_FILENO, 0, 0};
		fds[REDIS] = (struct pollfd){redis, POLLIN, 0};
	}
	if (poll(fds, redis < 0 ? REDIS : N_FDS, -1) < 0)
		die("poll");
	if (fds[OUTPUT].revents != 0)
		exit(0);
}

static _Noreturn void
validate(void)
{
	for (;;) {
		wait_for(-1);
		put(text, get(STDIN_FILENO));
	}
}

static int
dial(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		die(path);
	return fd;
}

static void
call(int redis, struct iovec *parts, size_t n)
{
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = n};

	if (sendmsg(redis, &m, MSG_NOSIGNAL) < 0)
		die("Redis");
}

/* head[0..len) and the line without its tab and newline. */
static _Noreturn void
publish(int redis, char *head, size_t len)
{
	static char reply[4096];

	for (;;) {
		size_t n;

		wait_for(redis);
		n = get(STDIN_FILENO);
		call(redis,
		    (struct iovec[]){
			{head, len}, {text + 1, n - 2}, {"\r\n", 2}},
		    3);
		wait_for(redis);
		if (read(redis, reply, sizeof reply) <= 0 || reply[0] == '-')
			die("reply");
		put(text, n);
	}
}

static _Noreturn void
relay(int redis)
{
	for (;;) {
		wait_for(redis);
		if (fds[REDIS].revents != 0)
			put(text, get(redis));
		else
			call(
			    redis, &(struct iovec){text, get(STDIN_FILENO)}, 1);
	}
}

static _Noreturn void
publish_behind(const char *socket, const char *path)
{
	static char head[4096];
	FILE *f = fopen(path, "r");
	size_t len = f != NULL ? fread(head, 1, sizeof head, f) : 0;

	if (len == 0)
		die(path);
	fclose(f);
	publish(dial(socket), head, len);
}

int
main(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(part, "serve") == 0)
		serve(argv[2]);
	if (argc == 2 && strcmp(part, "validate") == 0)
		validate();
	if (argc == 4 && strcmp(part, "publish") == 0)
		publish_behind(argv[2], argv[3]);
	if (argc == 3 && strcmp(part, "relay") == 0)
		relay(dial(argv[2]));
	fprintf(stderr, "usage: ring serve FILE | validate | "
			"publish SOCKET HEAD | relay SOCKET\n");
	return 100;
}
