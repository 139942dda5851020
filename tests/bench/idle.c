/*
 * idle SOCKET PID N: what N idle connections to incr-serve at SOCKET cost in
 * resident memory of the process PID, in bytes per connection:
 *
 *	idle      after one request on each
 *	busy      all in the middle of a body of 4000 bytes
 *	used      a while after these were answered: have buffers been given
 *	          back?
 *
 * Then it holds them until the end of its standard input.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BODY = 4000, FIRST_PART = 2000, N_MAX = 100000 };

static const char get[] = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
static int fds[N_MAX];

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "idle: %s: %s\n", what, strerror(errno));
	exit(1);
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
put(int fd, const char *p, size_t len)
{
	if (send(fd, p, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
}

/* Whatever the answer is, it comes in one piece. */
static void
expect(int fd)
{
	char text[1024];

	if (recv(fd, text, sizeof text, 0) <= 0)
		die("recv");
}

static long
resident(const char *pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%s/status", pid);
	f = fopen(path, "r");
	if (f == NULL)
		die(path);
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib * 1024;
}

/* As soon as half of what it has now is gone, or the least of three seconds. */
static long
least(const char *pid)
{
	long first = resident(pid), min = first;

	for (int i = 0; i < 30 && min > first / 2; i++) {
		long now = resident(pid);

		min = now < min ? now : min;
		usleep(100000);
	}
	return min;
}

static void
send_parts(int n, const char *pid, const char *busy, long before)
{
	static char head[128], body[BODY];
	int len = snprintf(head, sizeof head,
	    "POST /increment HTTP/1.1\r\nHost: x\r\n"
	    "Content-Length: %d\r\n\r\n",
	    BODY);

	memset(body, 'x', sizeof body);
	for (int i = 0; i < n; i++) {
		put(fds[i], head, (size_t)len);
		put(fds[i], body, FIRST_PART);
	}
	/* Whoever is answered now was read after all of these. */
	put(fds[n], get, sizeof get - 1);
	expect(fds[n]);
	printf("%s %ld\n", busy, (resident(pid) - before) / n);
	for (int i = 0; i < n; i++)
		put(fds[i], body, BODY - FIRST_PART);
	for (int i = 0; i < n; i++)
		expect(fds[i]);
}

int
main(int argc, char **argv)
{
	struct rlimit r;
	int n = argc == 4 ? atoi(argv[3]) : 0;
	long before;
	char c;

	if (n < 1 || n >= N_MAX) {
		fprintf(stderr, "usage: idle SOCKET PID N\n");
		return 100;
	}
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	/* The first makes what all share. */
	fds[n] = dial(argv[1]);
	put(fds[n], get, sizeof get - 1);
	expect(fds[n]);
	before = resident(argv[2]);
	for (int i = 0; i < n; i++) {
		fds[i] = dial(argv[1]);
		put(fds[i], get, sizeof get - 1);
		expect(fds[i]);
	}
	printf("idle %ld\n", (resident(argv[2]) - before) / n);
	send_parts(n, argv[2], "busy", before);
	printf("used %ld\n", (least(argv[2]) - before) / n);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
