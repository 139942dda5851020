/*
 * stamp: the two ends of tests/bench/staleness.
 *
 *	stamp post ADDR RATE SECONDS	increments over HTTP; one line for
 *		each 202: its number and clock_us()
 *	stamp watch FILE		reads these lines, watches the table
 *		of the database that FILE names, says how late they were
 *
 * The time of an increment runs from its 202 to the answer of the first
 * query that finds its key, which is later than the row by the 10 ms between
 * two looks at most: what is said is no less than the truth.  Increment
 * number N has the key PID-0000-4000-8000-N; one without a 202 is not looked
 * for.  ADDR is a port of localhost or a socket's path.  FILE may change: it is
 * read at each connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"

enum {
	LOOK_MS = 10,
	ANSWER_S = 5,
	PATIENCE_MS = 60000, /* after the last line */
	PROMISE_US = 10000000,
	KEY_TEXT = 36
};

struct sent {
	uint64_t pid, n;
	int64_t at_us;
};

/* What is known of those that were seen. */
static struct {
	uint64_t n, late;
	int64_t max_us, sum_us, first_us, max_at_us;
} seen;

static void post(const char *addr, uint64_t rate, uint64_t seconds);
static int connect_to(const char *addr);
static int connect_fd(const struct sockaddr *to, socklen_t len);
static bool post_one(int fd, uint64_t n);
static void watch(const char *file);
static bool read_sent(struct buf *sent);
static PGconn *connect_as(const char *file);
static bool changed(PGconn *db, char last[64]);
static bool look(PGconn *db, struct buf *sent);
static void note(const struct sent *s, int64_t now_us);

int
main(int argc, char **argv)
{
	uint64_t rate, seconds;

	log_name("stamp");
	if (argc == 5 && strcmp(argv[1], "post") == 0 &&
	    num_u64(argv[3], 1, 1000, &rate) == 0 &&
	    num_u64(argv[4], 1, 86400, &seconds) == 0)
		post(argv[2], rate, seconds);
	else if (argc == 3 && strcmp(argv[1], "watch") == 0)
		watch(argv[2]);
	else
		log_die(EXIT_CONFIG, "usage: stamp post ADDR RATE SECONDS | "
				     "stamp watch FILE");
	return 0;
}

/* -- post ----------------------------------------------------------------- */

static void
post(const char *addr, uint64_t rate, uint64_t seconds)
{
	int64_t began_us = clock_us(), wait_us;
	int fd = -1;

	for (uint64_t n = 0; n < rate * seconds; n++) {
		wait_us = began_us + (int64_t)(n * 1000000 / rate) - clock_us();
		/* After an outage it goes on at its rate. */
		if (wait_us < -1000000)
			began_us -= wait_us;
		if (wait_us > 0)
			poll(NULL, 0, (int)(wait_us / 1000));
		if (fd < 0)
			fd = connect_to(addr);
		if (fd >= 0 && !post_one(fd, n)) {
			close(fd);
			fd = -1;
		}
	}
}

static int
connect_to(const char *addr)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	struct sockaddr_in local = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	uint64_t port;

	if (num_u64(addr, 1, UINT16_MAX, &port) == 0) {
		local.sin_port = htons((uint16_t)port);
		return connect_fd((struct sockaddr *)&local, sizeof local);
	}
	snprintf(path.sun_path, sizeof path.sun_path, "%s", addr);
	return connect_fd((struct sockaddr *)&path, sizeof path);
}

static int
connect_fd(const struct sockaddr *to, socklen_t len)
{
	struct timeval limit = {.tv_sec = ANSWER_S};
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, to, len) == 0)
		return fd;
	close(fd);
	return -1;
}

/* False if the connection is of no more use. */
static bool
post_one(int fd, uint64_t n)
{
	char body[128], text[512];
	int len = snprintf(body, sizeof body,
	    "{\"key\":\"%08jx-0000-4000-8000-%012jx\",\"value\":1}",
	    (uintmax_t)getpid(), (uintmax_t)n);
	ssize_t got;

	len = snprintf(text, sizeof text,
	    "POST /increment HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Length: %d\r\n\r\n%s",
	    len, body);
	if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		return false;
	got = recv(fd, text, sizeof text - 1, 0);
	if (got <= 0)
		return false;
	text[got] = '\0';
	/* The answers are small, and 202 has no body. */
	if (strncmp(text, "HTTP/1.1 202", 12) != 0 ||
	    strstr(text, "\r\n\r\n") == NULL)
		return false;
	printf("%jx %jx %jd\n", (uintmax_t)getpid(), (uintmax_t)n,
	    (intmax_t)clock_us());
	if (fflush(stdout) != 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	return true;
}

/* -- watch ---------------------------------------------------------------- */

static void
watch(const char *file)
{
	struct buf sent = {0};
	PGconn *db = NULL;
	bool more = true, due;
	char last[64] = "";
	int64_t ended_ms = 0;

	while (more || sent.len > 0) {
		size_t before = sent.len;

		poll(NULL, 0, LOOK_MS);
		if (more && !(more = read_sent(&sent)))
			ended_ms = clock_ms();
		if (!more && clock_ms() > ended_ms + PATIENCE_MS)
			break;
		if (db == NULL)
			db = connect_as(file);
		if (db == NULL || sent.len == 0)
			continue;
		/* A new one may be there already. */
		due = changed(db, last) || sent.len > before;
		if (PQstatus(db) == CONNECTION_BAD ||
		    (due && !look(db, &sent))) {
			PQfinish(db);
			db = NULL;
			last[0] = '\0';
		}
	}
	PQfinish(db);
	printf("%ju increments, max %.2f s (at %.1f s), mean %.2f s, "
	       "%ju over 10 s, %zu never seen\n",
	    (uintmax_t)seen.n, (double)seen.max_us / 1e6,
	    (double)(seen.max_at_us - seen.first_us) / 1e6,
	    seen.n == 0 ? 0 : (double)seen.sum_us / (double)seen.n / 1e6,
	    (uintmax_t)seen.late, sent.len / sizeof(struct sent));
	if (fflush(stdout) != 0 || sent.len > 0 || seen.n == 0)
		exit(EXIT_REJECTED);
	buf_free(&sent);
}

/* What waits on standard input; false at its end. */
static bool
read_sent(struct buf *sent)
{
	static struct buf in;
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	char chunk[4096];
	const char *end;

	while (poll(&pfd, 1, 0) > 0) {
		ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk);

		if (n <= 0)
			return false;
		if (buf_add(&in, chunk, (size_t)n) < 0)
			log_die(EXIT_TEMPFAIL, "memory");
		while ((end = memchr(buf_ptr(&in), '\n', in.len)) != NULL) {
			struct sent s;

			if (sscanf(buf_ptr(&in), "%jx %jx %jd", &s.pid, &s.n,
				&s.at_us) != 3 ||
			    buf_add(sent, &s, sizeof s) < 0)
				log_die(EXIT_TEMPFAIL, "stdin: no stamp");
			buf_drop(&in, (size_t)(end + 1 - buf_ptr(&in)));
		}
	}
	return true;
}

static PGconn *
connect_as(const char *file)
{
	char url[1024] = "";
	FILE *f = fopen(file, "re");
	PGconn *db;

	if (f == NULL)
		return NULL;
	if (fgets(url, sizeof url, f) == NULL)
		url[0] = '\0';
	fclose(f);
	url[strcspn(url, "\n")] = '\0';
	db = PQconnectdb(url);
	if (PQstatus(db) == CONNECTION_OK)
		return db;
	PQfinish(db);
	return NULL;
}

/* Whatever is counted moves a ledger row, too, and there are few. */
static bool
changed(PGconn *db, char last[64])
{
	PGresult *r = PQexec(
	    db, "select coalesce(sum(seq), 0), count(*) from incr_ledger");
	char now[64] = "";

	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		snprintf(now, sizeof now, "%s %s", PQgetvalue(r, 0, 0),
		    PQgetvalue(r, 0, 1));
	PQclear(r);
	if (strcmp(now, last) == 0)
		return false;
	memcpy(last, now, sizeof now);
	return true;
}

/* Looks for all that were sent, and drops those that are there.  False if
 * the database did not answer. */
static bool
look(PGconn *db, struct buf *sent)
{
	struct sent *s = (void *)buf_ptr(sent);
	size_t n = sent->len / sizeof *s, left = 0;
	struct buf keys = {0};
	const char *param;
	int64_t now_us;
	PGresult *r;

	for (size_t i = 0; i < n; i++)
		if (buf_addf(&keys, "%c%08jx-0000-4000-8000-%012jx",
			i == 0 ? '{' : ',', s[i].pid, s[i].n) < 0)
			log_die(EXIT_TEMPFAIL, "memory");
	if (buf_add(&keys, "}", 2) < 0)
		log_die(EXIT_TEMPFAIL, "memory");
	param = buf_ptr(&keys);
	r = PQexecParams(db,
	    "select i.key is not null from unnest($1::uuid[]) "
	    "with ordinality as u (key, at) "
	    "left join increments i on i.key = u.key order by u.at",
	    1, NULL, &param, NULL, NULL, 0);
	now_us = clock_us();
	buf_free(&keys);
	if (PQresultStatus(r) != PGRES_TUPLES_OK) {
		PQclear(r);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (*PQgetvalue(r, (int)i, 0) == 't')
			note(&s[i], now_us);
		else
			s[left++] = s[i];
	PQclear(r);
	sent->len = left * sizeof *s;
	return true;
}

static void
note(const struct sent *s, int64_t now_us)
{
	int64_t us = now_us - s->at_us;

	if (seen.n++ == 0)
		seen.first_us = s->at_us;
	seen.sum_us += us;
	if (us > PROMISE_US)
		seen.late++;
	if (us <= seen.max_us)
		return;
	seen.max_us = us;
	seen.max_at_us = s->at_us;
}
