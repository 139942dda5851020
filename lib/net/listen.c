/* Opens listening sockets: TCP, Unix, inherited ones. */
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "net/address.h"

enum { BACKLOG = 4096, INHERITED_FD = 3, HOST_MAX = 256 };

#define PATH_LONG "the path of a socket has more than 107 bytes"
#define ADDR_FORM "host:port, [v6]:port, :port or a path with /"

static int open_unix(
    const char *path, struct listener *ret, const char **ret_why);
static int lock_folder(const char *path);
static int bind_path(int fd, const char *path, const char **ret_why);
static bool is_stale(const struct sockaddr_un *at, const char **ret_why);
static enum listen_probe probe_unix(const char *path, const char **ret_why);
static int bind_tcp(
    const char *addr, struct listener *ret, int n, const char **ret_why);
static int open_tcp(
    const char *addr, struct listener *ret, int n, const char **ret_why);
static int split(const char *addr, char *ret_host, const char **ret_port);
static int bind_one(const struct addrinfo *a, bool dual);
static int inherit_one(int fd, const char **ret_why);

int
listen_open(const char *addr, struct listener *ret, int n, const char **ret_why)
{
	if (n < 1) {
		*ret_why = "more than 32 sockets";
		return -1;
	}
	if (strchr(addr, '/') != NULL)
		return open_unix(addr, ret, ret_why);
	return open_tcp(addr, ret, n, ret_why);
}

/* -- Unix sockets -------------------------------------------------------- */

static int
open_unix(const char *path, struct listener *ret, const char **ret_why)
{
	struct listener l = {0};
	struct stat st;
	int folder, bound;

	if (strlen(path) >= sizeof l.path) {
		*ret_why = PATH_LONG;
		return -1;
	}
	memcpy(l.path, path, strlen(path));
	l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	folder = lock_folder(path);
	if (l.fd < 0 || folder < 0) {
		*ret_why = strerror(errno);
		bound = -1;
	} else {
		bound = bind_path(l.fd, path, ret_why);
	}
	if (bound == 0 && (listen(l.fd, BACKLOG) < 0 || stat(path, &st) < 0)) {
		*ret_why = strerror(errno);
		bound = -1;
	}
	if (folder >= 0)
		close(folder);
	if (bound < 0) {
		if (l.fd >= 0)
			close(l.fd);
		return -1;
	}
	l.dev = st.st_dev;
	l.ino = st.st_ino;
	*ret = l;
	return 1;
}

/* From the refused connect to listen(2) no other server may replace the
 * socket.  A lock on the folder leaves nothing behind. */
static int
lock_folder(const char *path)
{
	char copy[LISTEN_ADDR];
	int fd;

	memcpy(copy, path, strlen(path) + 1);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
bind_path(int fd, const char *path, const char **ret_why)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	mode_t mask = umask(0117);
	int bound;

	memcpy(to.sun_path, path, strlen(path) + 1);
	bound = bind(fd, (struct sockaddr *)&to, sizeof to);
	*ret_why = strerror(errno);
	if (bound < 0 && errno == EADDRINUSE && is_stale(&to, ret_why)) {
		bound = unlink(path) == 0
			    ? bind(fd, (struct sockaddr *)&to, sizeof to)
			    : -1;
		*ret_why = strerror(errno);
	}
	umask(mask);
	return bound;
}

static bool
is_stale(const struct sockaddr_un *at, const char **ret_why)
{
	struct stat st;
	int fd, refused;

	if (lstat(at->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		*ret_why = "exists and is not a socket";
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	refused = fd >= 0 &&
		  connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 &&
		  errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	*ret_why = "another server is listening there";
	return refused;
}

enum listen_probe
listen_probe(const char *addr, bool *ret_local, const char **ret_why)
{
	struct listener l[LISTEN_MAX];
	int n;

	*ret_local = true;
	if (strchr(addr, '/') != NULL)
		return probe_unix(addr, ret_why);
	n = bind_tcp(addr, l, LISTEN_MAX, ret_why);
	if (n < 0)
		return LISTEN_TAKEN;
	while (n > 0) {
		*ret_local &= listen_is_local(&l[--n]);
		listen_close(&l[n]);
	}
	return LISTEN_FREE;
}

static enum listen_probe
probe_unix(const char *path, const char **ret_why)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char copy[LISTEN_ADDR];
	struct stat st;

	*ret_why = PATH_LONG;
	if (strlen(path) >= sizeof at.sun_path)
		return LISTEN_TAKEN;
	memcpy(at.sun_path, path, strlen(path) + 1);
	memcpy(copy, path, strlen(path) + 1);
	if (access(dirname(copy), W_OK | X_OK) < 0) {
		*ret_why = strerror(errno);
		return LISTEN_TAKEN;
	}
	if (lstat(path, &st) < 0)
		return LISTEN_FREE;
	return is_stale(&at, ret_why) ? LISTEN_STALE : LISTEN_TAKEN;
}

const char *
listen_judge(const char *addr)
{
	char host[HOST_MAX];
	const char *port;

	return strchr(addr, '/') != NULL || split(addr, host, &port) == 0
		   ? NULL
		   : ADDR_FORM;
}

/* -- TCP ----------------------------------------------------------------- */

static int
open_tcp(const char *addr, struct listener *ret, int n, const char **ret_why)
{
	int made = bind_tcp(addr, ret, n, ret_why);

	for (int i = 0; i < made; i++)
		if (listen(ret[i].fd, BACKLOG) < 0) {
			*ret_why = strerror(errno);
			while (made > 0)
				listen_close(&ret[--made]);
			return -1;
		}
	return made;
}

static int
bind_tcp(const char *addr, struct listener *ret, int n, const char **ret_why)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE,
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM};
	struct addrinfo *all, *a;
	char host[HOST_MAX];
	const char *port;
	int error, made = 0;

	if (split(addr, host, &port) < 0) {
		*ret_why = "expected " ADDR_FORM;
		return -1;
	}
	if (*host == '\0' && n > 0) { /* one socket for v6 and v4, if it can */
		struct sockaddr_in6 any = {.sin6_family = AF_INET6};
		struct addrinfo one = {.ai_family = AF_INET6,
		    .ai_addr = (struct sockaddr *)&any,
		    .ai_addrlen = sizeof any};

		any.sin6_port = htons((uint16_t)strtoul(port, NULL, 10));
		*ret = (struct listener){.fd = bind_one(&one, true)};
		if (ret->fd >= 0)
			return 1;
		hints.ai_family = AF_INET;
	}
	error = getaddrinfo(*host == '\0' ? NULL : host, port, &hints, &all);
	if (error != 0) {
		*ret_why = gai_strerror(error);
		return -1;
	}
	for (a = all; a != NULL && made < n; a = a->ai_next) {
		ret[made] = (struct listener){.fd = bind_one(a, false)};
		if (ret[made].fd < 0 && errno != EAFNOSUPPORT &&
		    errno != EADDRNOTAVAIL)
			break;
		made += ret[made].fd >= 0;
	}
	*ret_why = strerror(errno);
	freeaddrinfo(all);
	if (a != NULL || made == 0)
		while (made > 0)
			listen_close(&ret[--made]);
	return made == 0 ? -1 : made;
}

/* Copies the host without its brackets; the port is 0 to 65535. */
static int
split(const char *addr, char *ret_host, const char **ret_port)
{
	const char *colon = strrchr(addr, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - addr);
	uint64_t port;

	if (colon == NULL || len >= HOST_MAX ||
	    num_u64(colon + 1, 0, 65535, &port) < 0)
		return -1;
	if (len > 2 && addr[0] == '[' && colon[-1] == ']') {
		addr++;
		len -= 2;
	} else if (memchr(addr, ':', len) != NULL) {
		return -1;
	}
	memcpy(ret_host, addr, len);
	ret_host[len] = '\0';
	*ret_port = colon + 1;
	return 0;
}

/* dual: IPv6 with IPv4 in it. */
static int
bind_one(const struct addrinfo *a, bool dual)
{
	int fd =
	    socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, v6_only = !dual, saved;

	if (fd < 0)
		return -1;
	/* Accepted sockets inherit TCP_NODELAY. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	    (a->ai_family != AF_INET6 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only,
		    sizeof v6_only) == 0) &&
	    bind(fd, a->ai_addr, a->ai_addrlen) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* -- handed over --------------------------------------------------------- */

int
listen_inherit(struct listener *ret, int n, const char **ret_why)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t for_pid, n_fds;

	if (pid == NULL || fds == NULL ||
	    num_u64(pid, 1, INT32_MAX, &for_pid) < 0 ||
	    (pid_t)for_pid != getpid())
		return 0;
	if (num_u64(fds, 0, (uint64_t)n, &n_fds) < 0) {
		*ret_why = "expected a number of sockets, at most 32";
		return -1;
	}
	for (int i = 0; i < (int)n_fds; i++) {
		if (inherit_one(INHERITED_FD + i, ret_why) < 0)
			return -1;
		ret[i] = (struct listener){.fd = INHERITED_FD + i};
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	return (int)n_fds;
}

int
listen_hand_over(struct listener *l, int n)
{
	char text[16];
	int above;

	for (int i = 0; i < n; i++) { /* lest one takes another's number */
		above =
		    fcntl(l[i].fd, F_DUPFD_CLOEXEC, INHERITED_FD + LISTEN_MAX);
		if (above < 0)
			return -1;
		close(l[i].fd);
		l[i].fd = above;
	}
	for (int i = 0; i < n; i++) {
		if (dup2(l[i].fd, INHERITED_FD + i) < 0)
			return -1;
		close(l[i].fd);
		l[i].fd = INHERITED_FD + i;
	}
	unsetenv("LISTEN_FDNAMES"); /* of what was handed to us */
	snprintf(text, sizeof text, "%d", n);
	if (setenv("LISTEN_FDS", text, 1) < 0)
		return -1;
	snprintf(text, sizeof text, "%d", (int)getpid());
	return setenv("LISTEN_PID", text, 1);
}

static int
inherit_one(int fd, const char **ret_why)
{
	int listens = 0, on = 1, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof listens;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
	    !listens) {
		*ret_why = "a descriptor is not a listening socket";
		return -1;
	}
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		*ret_why = strerror(errno);
		return -1;
	}
	/* Fails on a Unix socket, which has no such option. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return 0;
}

int
listen_port(const struct listener *l)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;

	if (getsockname(l->fd, (struct sockaddr *)&at, &len) < 0)
		return 0;
	if (at.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&at)->sin_port);
	if (at.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
	return 0;
}

bool
listen_is_local(const struct listener *l)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	struct address p;

	if (getsockname(l->fd, (struct sockaddr *)&at, &len) < 0)
		return false;
	p = address_of((struct sockaddr *)&at);
	return address_is_local(&p);
}

void
listen_close(struct listener *l)
{
	struct stat st;

	if (l->path[0] != '\0' && lstat(l->path, &st) == 0 &&
	    st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
	*l = (struct listener){.fd = -1};
}
