/*
 * drive PORT [any | bytes]: sends each row of tests/http/table (the current
 * folder is that of the project) to 127.0.0.1, on a connection of its own and,
 * where the row is not one that is to be continued, with another increment
 * right behind.
 *
 * Prints "LINE N" for each row: so many answers were 202.  Says on standard
 * error what is not as the table has it, unless any: then whatever is answered
 * is right, if only an answer or the end comes in time.  With bytes each byte
 * is sent by itself.  Status 1 if something was wrong.
 */
#include "table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 5000, REPLY_MAX = 65536 };

struct reply {
	int statuses[2 * TABLE_STATUSES];
	size_t n;
	bool ended; /* in time */
};

static struct sockaddr_in server = {.sin_family = AF_INET};
static bool any, bytes; /* of the arguments */

static int
dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
	    connect(fd, (struct sockaddr *)&server, sizeof server) < 0) {
		perror("drive: connect");
		exit(1);
	}
	return fd;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* All until the other side closes, which a reset does, too. */
static size_t
read_all(int fd, char *ret, bool *ret_ended)
{
	int64_t due_ms = now_ms() + LIMIT_MS;
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < REPLY_MAX) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = due_ms - now_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			break;
		n = recv(fd, ret + len, REPLY_MAX - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	*ret_ended = n <= 0;
	return len;
}

/* No body that is answered has the beginning of an answer in it. */
static void
find_statuses(struct reply *r, const char *text, size_t len)
{
	for (size_t i = 0; i + 13 <= len; i++) {
		int status;

		if (memcmp(text + i, "HTTP/1.", 7) != 0 || text[i + 8] != ' ' ||
		    text[i + 12] != ' ')
			continue;
		status = atoi(text + i + 9);
		if (status >= 200 && r->n < 2 * TABLE_STATUSES)
			r->statuses[r->n++] = status;
	}
}

/* Whoever does not want it all may close early. */
static void
send_all(int fd, const char *p, size_t len, unsigned line)
{
	size_t step = bytes ? 1 : len;

	for (size_t i = 0; i < len; i += step)
		if (send(fd, p + i, step, MSG_NOSIGNAL) < 0) {
			if (errno != EPIPE && errno != ECONNRESET)
				table_die(line, strerror(errno));
			return;
		}
}

static struct reply
send_row(const struct table_row *row)
{
	static char text[REPLY_MAX];
	struct reply r = {.n = 0};
	char behind[512], *all = malloc(row->len + sizeof behind);
	int fd = dial(), n = 0;
	size_t len;

	if (all == NULL)
		table_die(row->line, "memory is short");
	if (row->then != TABLE_MORE)
		n = snprintf(behind, sizeof behind,
		    "POST /increment HTTP/1.1\r\nHost: x\r\n"
		    "Connection: close\r\nContent-Length: 59\r\n\r\n"
		    "{\"key\":\"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11\","
		    "\"value\":%u}",
		    TABLE_NEXT + row->line);
	memcpy(all, row->text, row->len);
	memcpy(all + row->len, behind, (size_t)n);
	send_all(fd, all, row->len + (size_t)n, row->line);
	if (row->then == TABLE_MORE || row->then == TABLE_REST ||
	    (any && row->then == TABLE_CUT))
		shutdown(fd, SHUT_WR);
	len = read_all(fd, text, &r.ended);
	find_statuses(&r, text, len);
	close(fd);
	free(all);
	return r;
}

static bool
is_right(const struct table_row *row, const struct reply *r)
{
	size_t n = row->n_statuses;

	for (size_t i = 0; i < n && i < r->n; i++)
		if (r->statuses[i] != row->statuses[i])
			return false;
	if (row->then == TABLE_KEEP)
		return r->n == n + 1 && r->statuses[n] == 202;
	return r->n == n;
}

static bool
judge(const struct table_row *row, const struct reply *r)
{
	bool right = r->ended && (any || is_right(row, r));

	if (right)
		return true;
	fprintf(stderr, "tests/http/table: %u: answered", row->line);
	for (size_t i = 0; i < r->n; i++)
		fprintf(stderr, " %d", r->statuses[i]);
	fprintf(stderr, r->ended ? "\n" : ", and no end came\n");
	return false;
}

int
main(int argc, char **argv)
{
	static struct table_row rows[TABLE_ROWS];
	size_t n = table_read("tests/http/table", rows);
	bool right = argc > 1;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	any = argc > 2 && strcmp(argv[2], "any") == 0;
	bytes = argc > 2 && !any;
	for (size_t i = 0; i < n; i++) {
		struct reply r = send_row(&rows[i]);
		unsigned taken = 0;

		for (size_t k = 0; k < r.n; k++)
			taken += r.statuses[k] == 202;
		printf("%u %u\n", rows[i].line, taken);
		right = judge(&rows[i], &r) && right;
	}
	return right && n >= 200 ? 0 : 1;
}
