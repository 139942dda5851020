/*
 * proxy LISTEN UPSTREAM CONTROL: forwards connections, and does them harm.
 *
 * LISTEN and UPSTREAM are the path of a Unix socket, or a port of 127.0.0.1.
 * CONTROL is a FIFO; a line of it, "HARM N MS", happens to the connection
 * that N, any number, picks among those of clients that are whole:
 *
 *	drop         it ends, on both sides
 *	cut-reply    at the next bytes of the server, behind half of them
 *	lose-reply   the same, but the client gets none of them
 *	cut-request  at the next bytes of the client, behind half of them
 *	late MS      the client is cut off at the next bytes it sends; the
 *	             server gets them MS later, and answers nobody
 *	hold MS      what the client sends waits for MS, and reaches the
 *	             server then, though the client may be gone by that time
 *	slow MS      what the server sends waits for MS
 *	hole MS      all connections of the process N, those to come, too, are
 *	             black: for MS nothing passes in either direction, nor
 *	             does anybody learn that it was closed
 *	blind MS     the same for all connections of replicas and standbys
 *	dark MS      the same for all connections
 *	release      to all connections: nothing waits any more, nor is any
 *	             harm to come
 *
 * What was done is said on standard output, a line each.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

enum { LINKS_MAX = 512, HOLES_MAX = 16, FLOW_BYTES = 1 << 16 };

enum harm { WELL, CUT_REPLY, LOSE_REPLY, CUT_REQUEST, LATE };

/* One direction: what was read and not written yet. */
struct flow {
	char bytes[FLOW_BYTES];
	size_t at, len;
	int64_t held_ms; /* nothing moves before */
	bool ended;      /* nothing more can be read */
	bool deaf;       /* nobody is there to whom it could be written */
	bool shut;       /* the reader was told that it ended */
};

/* A client (-1: gone, what comes for it is thrown away) and its server. */
struct link {
	bool used;
	int client, server;
	struct flow up, down;
	enum harm harm;
	int late_ms;
	enum peer peer;
	size_t at; /* its pollfds */
};

/* Whose connections are black: a process's, or one of these. */
enum { REPLICAS = 0, EVERYBODY = -1 };

struct hole {
	int pid;
	int64_t until_ms;
};

static struct link links[LINKS_MAX];
static struct hole holes[HOLES_MAX];
static struct pollfd fds[2 + 2 * LINKS_MAX];

static int open_listener(const char *address);
static int open_socket(
    const char *address, struct sockaddr_storage *ret, socklen_t *ret_len);
static int64_t prepare(nfds_t *ret_n);
static short events(const struct flow *in, const struct flow *out);
static void watch(int fd, short wanted, nfds_t *n);
static void let_in(int listener, const char *upstream);
static void obey(int control);
static void do_harm(const char *what, unsigned pick, int ms);
static void release(void);
static void open_hole(const char *what, int pid, int ms);
static void fall_in(struct link *l);
static bool is_of(const struct link *l, int pid);
static struct link *pick_link(unsigned pick);
static void forward(struct link *l);
static void take_request(struct link *l, short revents);
static void take_reply(struct link *l, short revents);
static void take(struct flow *f, int from, short revents);
static void give(struct flow *f, int to);
static void cut_off(struct link *l);
static void close_link(struct link *l, const char *why);
static int64_t now_ms(void);
static _Noreturn void die(const char *what);

int
main(int argc, char **argv)
{
	int listener, control;
	nfds_t n;

	if (argc != 4) {
		fputs("usage: proxy LISTEN UPSTREAM CONTROL\n", stderr);
		return 100;
	}
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	listener = open_listener(argv[1]);
	/* To write, too: then it never ends. */
	control = open(argv[3], O_RDWR | O_NONBLOCK);
	if (control < 0)
		die(argv[3]);
	fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = control, .events = POLLIN};
	for (;;) {
		int64_t wait_ms = prepare(&n);

		if (poll(fds, n, (int)wait_ms) < 0 && errno != EINTR)
			die("poll");
		for (size_t i = 0; i < LINKS_MAX; i++)
			if (links[i].used)
				forward(&links[i]);
		if (fds[1].revents != 0)
			obey(control);
		if (fds[0].revents != 0)
			let_in(listener, argv[2]);
	}
}

static int
open_listener(const char *address)
{
	struct sockaddr_storage to;
	socklen_t len;
	int fd = open_socket(address, &to, &len);

	if (*address == '/')
		unlink(address);
	if (bind(fd, (struct sockaddr *)&to, len) < 0 || listen(fd, 512) < 0)
		die(address);
	return fd;
}

static int
open_socket(
    const char *address, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in loopback = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(address)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bool is_local = *address == '/';
	int fd, one = 1;

	memset(ret, 0, sizeof *ret);
	snprintf(local.sun_path, sizeof local.sun_path, "%s", address);
	if (is_local)
		memcpy(ret, &local, sizeof local);
	else
		memcpy(ret, &loopback, sizeof loopback);
	*ret_len = is_local ? sizeof local : sizeof loopback;
	fd = socket(is_local ? AF_UNIX : AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	if (!is_local) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	}
	return fd;
}

/* Sets up the pollfds; returns for how long to wait, in ms, -1 for ever. */
static int64_t
prepare(nfds_t *ret_n)
{
	int64_t next_ms = INT64_MAX, now = now_ms();

	*ret_n = 2;
	for (size_t i = 0; i < LINKS_MAX; i++) {
		struct link *l = &links[i];
		const int64_t held[] = {l->up.held_ms, l->down.held_ms};

		if (!l->used)
			continue;
		l->at = *ret_n;
		watch(l->client, events(&l->up, &l->down), ret_n);
		watch(l->server, events(&l->down, &l->up), ret_n);
		for (size_t k = 0; k < 2; k++)
			if (held[k] > now && held[k] < next_ms)
				next_ms = held[k];
	}
	return next_ms == INT64_MAX ? -1 : next_ms - now;
}

/* What to wait for at a socket: in is read from it, out written to it. */
static short
events(const struct flow *in, const struct flow *out)
{
	int64_t now = now_ms();
	short wanted = 0;

	if (in->len == 0 && !in->ended && in->held_ms <= now)
		wanted |= POLLIN;
	if (out->len > 0 && out->held_ms <= now)
		wanted |= POLLOUT;
	return wanted;
}

/* Without a wish it is left out, or its end would wake us again and again. */
static void
watch(int fd, short wanted, nfds_t *n)
{
	fds[(*n)++] =
	    (struct pollfd){.fd = wanted == 0 ? -1 : fd, .events = wanted};
}

static void
let_in(int listener, const char *upstream)
{
	struct sockaddr_storage to;
	struct link *l = links;
	socklen_t len;
	int client, server, one = 1;

	while (l < links + LINKS_MAX && l->used)
		l++;
	if (l == links + LINKS_MAX)
		die("too many connections");
	client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client < 0)
		return;
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	server = open_socket(upstream, &to, &len);
	if (connect(server, (struct sockaddr *)&to, len) < 0 &&
	    errno != EINPROGRESS) {
		close(client);
		close(server);
		return;
	}
	memset(l, 0, sizeof *l);
	l->used = true;
	l->client = client;
	l->server = server;
	fall_in(l);
}

/* -- harm ------------------------------------------------------------------ */

static void
obey(int control)
{
	static char text[4096];
	static size_t len;
	char *line = text, *end, what[16];
	unsigned pick;
	int ms = 0;
	ssize_t n = read(control, text + len, sizeof text - 1 - len);

	if (n <= 0)
		return;
	len += (size_t)n;
	text[len] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		if (sscanf(line, "%15s %u %d", what, &pick, &ms) >= 2)
			do_harm(what, pick, ms);
		line = end + 1;
	}
	len -= (size_t)(line - text);
	memmove(text, line, len);
}

static void
do_harm(const char *what, unsigned pick, int ms)
{
	static const char *const later[] = {[CUT_REPLY] = "cut-reply",
	    [LOSE_REPLY] = "lose-reply",
	    [CUT_REQUEST] = "cut-request",
	    [LATE] = "late"};
	struct link *l = pick_link(pick);

	if (strcmp(what, "release") == 0)
		release();
	if (strcmp(what, "hole") == 0)
		open_hole(what, (int)pick, ms);
	if (strcmp(what, "blind") == 0)
		open_hole(what, REPLICAS, ms);
	if (strcmp(what, "dark") == 0)
		open_hole(what, EVERYBODY, ms);
	if (l == NULL)
		return;
	l->late_ms = ms;
	if (strcmp(what, "drop") == 0) {
		close_link(l, what);
	} else if (strcmp(what, "hold") == 0 || strcmp(what, "slow") == 0) {
		(*what == 'h' ? &l->up : &l->down)->held_ms = now_ms() + ms;
		puts(what);
	}
	for (int harm = CUT_REPLY; harm <= LATE; harm++)
		if (strcmp(what, later[harm]) == 0)
			l->harm = (enum harm)harm;
}

static void
release(void)
{
	for (size_t i = 0; i < LINKS_MAX; i++) {
		links[i].harm = WELL;
		links[i].up.held_ms = links[i].down.held_ms = 0;
	}
	memset(holes, 0, sizeof holes);
}

/* In place of the one that closes first. */
static void
open_hole(const char *what, int pid, int ms)
{
	struct hole *h = holes;

	for (size_t i = 1; i < HOLES_MAX; i++)
		if (holes[i].until_ms < h->until_ms)
			h = &holes[i];
	h->pid = pid;
	h->until_ms = now_ms() + ms;
	puts(what);
	for (size_t i = 0; i < LINKS_MAX; i++)
		if (links[i].used)
			fall_in(&links[i]);
}

/* Holds a connection that a hole is about. */
static void
fall_in(struct link *l)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < HOLES_MAX; i++) {
		const struct hole *h = &holes[i];

		if (h->until_ms <= now || h->until_ms <= l->down.held_ms)
			continue;
		if (is_of(l, h->pid))
			l->up.held_ms = l->down.held_ms = h->until_ms;
	}
}

static bool
is_of(const struct link *l, int pid)
{
	if (pid == EVERYBODY)
		return true;
	if (pid == REPLICAS)
		return l->peer == PEER_REPLICA;
	return l->client >= 0 && peer_is(l->client, pid);
}

/* NULL if there is none. */
static struct link *
pick_link(unsigned pick)
{
	struct link *whole[LINKS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < LINKS_MAX; i++)
		if (links[i].used && links[i].client >= 0 &&
		    links[i].peer <= PEER_CLIENT && links[i].harm == WELL)
			whole[n++] = &links[i];
	return n == 0 ? NULL : whole[pick % n];
}

/* -- forwarding ------------------------------------------------------------ */

static void
forward(struct link *l)
{
	take_request(l, fds[l->at].revents);
	if (l->used)
		take_reply(l, fds[l->at + 1].revents);
	if (!l->used)
		return;
	give(&l->up, l->server);
	give(&l->down, l->client);
	/* A server that ends has said all that it will. */
	if (l->down.ended && l->down.len == 0)
		close_link(l, NULL);
}

static void
take_request(struct link *l, short revents)
{
	take(&l->up, l->client, revents);
	if (l->up.len == 0 || l->up.at > 0)
		return;
	if (l->peer == PEER_UNKNOWN) {
		l->peer = peer_of(l->up.bytes, l->up.len);
		if (l->peer == PEER_REPLICA)
			fall_in(l);
	}
	if (l->harm == CUT_REQUEST) {
		l->up.len /= 2;
		give(&l->up, l->server);
		close_link(l, "cut-request");
	} else if (l->harm == LATE) {
		puts("late");
		l->harm = WELL;
		l->up.held_ms = now_ms() + l->late_ms;
		cut_off(l);
	}
}

static void
take_reply(struct link *l, short revents)
{
	take(&l->down, l->server, revents);
	if (l->down.len == 0 || l->down.at > 0)
		return;
	if (l->harm == CUT_REPLY) {
		l->down.len /= 2;
		give(&l->down, l->client);
		close_link(l, "cut-reply");
	} else if (l->harm == LOSE_REPLY) {
		close_link(l, "lose-reply");
	}
}

/* Reads what has come, if there is room. */
static void
take(struct flow *f, int from, short revents)
{
	ssize_t n;

	if (f->len > 0 || f->ended || from < 0 || revents == 0 ||
	    f->held_ms > now_ms())
		return;
	n = recv(from, f->bytes, sizeof f->bytes, 0);
	if (n > 0)
		f->len = (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		f->ended = true;
}

/* Writes what goes; its end, too.  Nobody there: it is lost. */
static void
give(struct flow *f, int to)
{
	ssize_t n = 0;

	if (f->held_ms > now_ms())
		return;
	if (to < 0 || f->deaf)
		f->len = 0;
	if (f->len > 0)
		n = send(to, f->bytes + f->at, f->len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		f->len = 0;
		f->deaf = true;
	} else if (n > 0) {
		f->at += (size_t)n;
		f->len -= (size_t)n;
	}
	if (f->len > 0)
		return;
	f->at = 0;
	if (f->ended && !f->shut && to >= 0) {
		shutdown(to, SHUT_WR);
		f->shut = true;
	}
}

/* The client is gone; what it has sent is not. */
static void
cut_off(struct link *l)
{
	close(l->client);
	l->client = -1;
	l->up.ended = true;
}

static void
close_link(struct link *l, const char *why)
{
	if (l->client >= 0)
		close(l->client);
	close(l->server);
	l->used = false;
	if (why != NULL)
		puts(why);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
die(const char *what)
{
	fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
	exit(111);
}
