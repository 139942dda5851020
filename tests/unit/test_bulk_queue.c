/* Requests of many lines: how many, whose turn, what they are answered. */
#include "serve_parts.h"

static const char head[] = "POST /increments HTTP/1.1\r\nHost: x\r\n\r\n";

/* One that was let in. */
static struct exchange *
begin(void)
{
	struct response a;
	enum decision d;
	struct exchange *x = parts_begin(head, NULL, &d, &a);

	check(d == DECISION_READ && x->in_pieces, "let in");
	return x;
}

static enum decision
feed(struct exchange *x, const char *text)
{
	struct response a = {0};

	return bulk_queue_data(&parts.bulk, x, text, strlen(text), &a);
}

/* n lines of 2 bytes. */
static enum decision
feed_lines(struct exchange *x, size_t n)
{
	char *text = malloc(2 * n + 1);
	enum decision d;

	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, "a\n", 3);
	d = feed(x, text);
	free(text);
	return d;
}

static enum decision
end(struct exchange *x, struct response *ret)
{
	x->whole = true;
	*ret = (struct response){0};
	return bulk_queue_end(&parts.bulk, x, ret);
}

/* Its lines, or those of whoever's turn it is, go on. */
static size_t
advance(int64_t now_ms, enum decision *ret, struct response *ret_answer)
{
	struct exchange *x;
	size_t n = 0;

	while ((x = bulk_queue_next(&parts.bulk, now_ms)) != NULL) {
		*ret = bulk_queue_advance(&parts.bulk, x, ret_answer);
		n++;
	}
	return n;
}

static size_t
count(const char *lines)
{
	size_t n = 0;

	while ((lines = strchr(lines, '\n')) != NULL) {
		lines++;
		n++;
	}
	return n;
}

static void
verdicts(size_t n, const char *verdict)
{
	size_t len = strlen(verdict);
	char *text = malloc(n * len + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, verdict, len + 1);
	parts_answer(text);
	free(text);
}

static void
drop(struct exchange *x, struct response *a)
{
	exchange_answer(x, a);
	exchange_free(x);
}

static void
test_whole(void)
{
	struct exchange *x;
	struct response a;

	parts_open(4096, 2, false);
	x = begin();
	check(feed(x, "a\nb") == DECISION_READ, "read on");
	check(strcmp(parts_lines(), "a\n") == 0, "as they come");
	verdicts(1, "a\n");
	check(parts_last()->decision == DECISION_READ, "more may come");
	check(end(x, &a) == DECISION_READ, "a verdict is missing");
	check(strcmp(parts_lines(), "b\n") == 0, "the last line");
	verdicts(1, "b\n");
	check(parts_last()->decision == DECISION_ANSWER, "all is known");
	a = parts_last()->answer;
	check(a.status == HTTP_202 && a.text_len == 4 &&
		  memcmp(a.text, "a\nb\n", 4) == 0,
	    "%u", (unsigned)a.status);
	drop(x, &a);
	check(parts.bulk.places.taken == 0, "it is gone");
	x = begin();
	check(end(x, &a) == DECISION_ANSWER && a.status == HTTP_400, "no line");
	drop(x, &a);
	parts_close();
}

/* A line, and what becomes of the request. */
static enum http_status
take_place(struct exchange *x, const char *text)
{
	struct response a = {0};

	if (bulk_queue_data(&parts.bulk, x, text, strlen(text), &a) !=
	    DECISION_CUT)
		return 0;
	check(a.why != NULL, "said why");
	return a.status;
}

/* With the first whole line, and until the answer was read. */
static void
test_places(void)
{
	struct exchange *x[4];
	struct response a;

	parts_open(64, 1, false);
	for (size_t i = 0; i < 4; i++)
		x[i] = begin();
	check(take_place(x[0], "half a line") == 0, "no line");
	check(end(x[3], &a) == DECISION_ANSWER && a.status == HTTP_400,
	    "none at all");
	check(parts.bulk.places.taken == 0, "none of them has a place");
	check(take_place(x[1], "half a line") == 0, "no line");
	check(take_place(x[1], ", a whole\n") == 0, "it has one");
	check(take_place(x[0], ", a whole\n") == HTTP_503, "it has none");
	check(end(x[2], &a) == DECISION_ANSWER && a.status == HTTP_400,
	    "without a line it needs none");
	(void)parts_lines();
	verdicts(1, "a\n");
	check(end(x[1], &a) == DECISION_ANSWER && a.status == HTTP_202,
	    "answered");
	exchange_answer(x[1], &a);
	exchange_free(x[2]);
	x[2] = begin();
	check(take_place(x[2], "a\n") == HTTP_503, "not read yet");
	exchange_free(x[1]);
	exchange_free(x[2]);
	x[1] = begin();
	x[2] = begin();
	check(feed(x[2], "the last line") == DECISION_READ &&
		  feed(x[1], "b") == DECISION_READ,
	    "no line");
	check(end(x[2], &a) == DECISION_READ, "a place for what was the last");
	check(end(x[1], &a) == DECISION_ANSWER && a.status == HTTP_503,
	    "none for this one");
	for (size_t i = 0; i < 4; i++)
		exchange_free(x[i]);
	check(parts.bulk.places.taken == 0, "places are given back");
	parts_close();
}

/* A line longer than any increment is one, too. */
static void
test_long_line(void)
{
	static char half[LINES_JSON_MAX];
	struct exchange *x[2];

	memset(half, 'x', sizeof half - 1);
	parts_open(64, 1, false);
	x[0] = begin();
	x[1] = begin();
	check(
	    take_place(x[0], half) == 0 && take_place(x[1], half) == 0, "4095");
	check(take_place(x[0], "xx") == 0 && parts.bulk.places.taken == 1,
	    "4097");
	check(take_place(x[1], "xx") == HTTP_503, "of another");
	for (size_t i = 0; i < 2; i++)
		exchange_free(x[i]);
	parts_close();
}

/* Who asks, as the proxy on a Unix socket says it. */
static struct exchange *
begin_of(int client)
{
	static struct origin unix_socket = {.role = ROUTES_FRONT};
	char text[256];
	struct response a;
	enum decision d;

	memset(&unix_socket.peer, 0xff, sizeof unix_socket.peer);
	snprintf(text, sizeof text,
	    "POST /increments HTTP/1.1\r\nHost: x\r\n"
	    "X-Forwarded-For: 192.0.2.%d\r\n\r\n",
	    client);
	return parts_begin(text, &unix_socket, &d, &a);
}

/* One client takes half of them, then others a quarter each. */
static void
test_clients(void)
{
	enum { MAX = 64 };
	struct exchange *x[MAX + 1];
	size_t n = 0, had[4] = {0};

	parts_open(4096, MAX, false);
	for (int client = 1; client <= 3; client++) {
		for (; n <= MAX; n++) {
			x[n] = begin_of(client);
			if (take_place(x[n], "a\n") != 0)
				break;
			had[client]++;
		}
		exchange_free(x[n]);
	}
	check(had[1] == MAX / 2 && had[2] == MAX / 4 && had[3] == MAX / 4,
	    "%zu, %zu, %zu", had[1], had[2], had[3]);
	x[n] = begin_of(4);
	check(take_place(x[n], "a\n") == HTTP_503, "all are taken");
	for (size_t i = 0; i <= n; i++)
		bulk_queue_leave(x[i]);
	for (size_t i = 0; i <= n; i++)
		exchange_free(x[i]);
	check(parts.bulk.places.taken == 0, "given back");
	parts_close();
}

/* A quarter of the lines, and one; it waits without being read. */
static void
test_share(void)
{
	struct exchange *x;
	struct response a;
	enum decision d = DECISION_CUT;

	parts_open(400, 2, false);
	x = begin();
	check(feed_lines(x, 150) == DECISION_HOLD, "no room");
	check(count(parts_lines()) == 101, "a quarter");
	check(advance(clock_ms(), &d, &a) == 0, "still none");
	verdicts(1, "a\n");
	check(parts_last()->decision == DECISION_HOLD, "it still waits");
	check(advance(clock_ms(), &d, &a) == 1 && d == DECISION_HOLD,
	    "one place");
	check(count(parts_lines()) == 1, "one line");
	verdicts(101, "a\n");
	check(advance(clock_ms(), &d, &a) == 1 && d == DECISION_READ,
	    "the rest, read on");
	check(count(parts_lines()) == 48, "the rest");
	verdicts(48, "a\n");
	check(end(x, &a) == DECISION_ANSWER && a.status == HTTP_202, "%u",
	    (unsigned)a.status);
	drop(x, &a);
	parts_close();
}

static void
test_window(void)
{
	struct exchange *x;
	struct response a;

	parts_open(100000, 2, false);
	x = begin();
	check(feed_lines(x, 1100) == DECISION_HOLD, "a window full");
	check(count(parts_lines()) == BULK_QUEUE_WINDOW, "of lines");
	x->pending = 0;
	bulk_queue_leave(x);
	(void)a;
	exchange_free(x);
	parts_close();
}

/* Two that wait take turns of 64 lines. */
static void
test_turns(void)
{
	struct exchange *x[2], *next;
	struct response a;
	uint32_t pending[2];

	parts_open(800, 4, false);
	x[0] = begin();
	x[1] = begin();
	check(feed_lines(x[0], 400) == DECISION_HOLD, "no room");
	check(feed_lines(x[1], 400) == DECISION_HOLD, "nor for it");
	check(count(parts_lines()) == 201 && x[1]->pending == 0, "one has all");
	verdicts(201, "a\n");
	for (int i = 0; i < 2; i++) {
		next = bulk_queue_next(&parts.bulk, clock_ms());
		check(next == x[i], "in turn: %d", i);
		check(
		    bulk_queue_advance(&parts.bulk, next, &a) == DECISION_HOLD,
		    "more");
		check(next->pending == BULK_QUEUE_TURN, "%u", next->pending);
	}
	while ((next = bulk_queue_next(&parts.bulk, clock_ms())) != NULL)
		(void)bulk_queue_advance(&parts.bulk, next, &a);
	for (int i = 0; i < 2; i++)
		pending[i] = x[i]->pending;
	check(pending[0] + pending[1] == 201 && pending[1] >= 64 &&
		  pending[0] >= 64,
	    "%u and %u", pending[0], pending[1]);
	for (int i = 0; i < 2; i++) {
		bulk_queue_leave(x[i]);
		exchange_free(x[i]);
	}
	check(bulk_queue_due(&parts.bulk) == IO_FOREVER, "nothing waits");
	parts_close();
}

/* No room for too long: the rest is unavailable, what is out is awaited. */
static void
test_waited(void)
{
	struct exchange *x;
	struct response a;
	enum decision d = DECISION_CUT;
	int64_t due_ms;

	parts_open(4, 2, false);
	x = begin();
	check(feed(x, "a\nb\nc\n") == DECISION_HOLD, "two have room");
	check(end(x, &a) == DECISION_HOLD, "one waits");
	check(count(parts_lines()) == 2, "two");
	due_ms = bulk_queue_due(&parts.bulk);
	check(advance(due_ms - 1, &d, &a) == 0, "not yet");
	check(advance(due_ms, &d, &a) == 1 && d == DECISION_READ,
	    "no line is left");
	check(bulk_queue_due(&parts.bulk) == IO_FOREVER, "nor waits");
	verdicts(2, "a\n");
	check(parts_last()->decision == DECISION_ANSWER, "all is known");
	a = parts_last()->answer;
	check(a.status == HTTP_207 &&
		  memmem(a.text, a.text_len, "unavailable", 11) != NULL,
	    "%u", (unsigned)a.status);
	exchange_answer(x, &a);
	check(
	    failure_log_due(&parts.routes.failures) != IO_FOREVER, "a failure");
	exchange_free(x);
	parts_close();
}

/* A verdict says that the queue is away: no other line waits for the same. */
static void
test_away(void)
{
	struct exchange *x;
	struct response a;

	parts_open(4, 2, false);
	x = begin();
	check(feed(x, "a\nb\nc\n") == DECISION_HOLD, "one waits");
	check(end(x, &a) == DECISION_HOLD, "it waits");
	(void)parts_lines();
	parts_answer("{\"error\":{\"code\":\"unavailable\",\"detail\":\"\","
		     "\"line\":1}}\n");
	check(parts_last()->decision == DECISION_READ &&
		  bulk_queue_due(&parts.bulk) == IO_FOREVER,
	    "it waits no more");
	verdicts(1, "b\n");
	check(parts_last()->decision == DECISION_ANSWER &&
		  parts_last()->answer.status == HTTP_207,
	    "%u", (unsigned)parts_last()->answer.status);
	a = parts_last()->answer;
	check(count(parts_lines()) == 0, "the third was not sent");
	drop(x, &a);
	parts_close();
}

/* Nothing more is read: with what is known, once it is. */
static void
test_cut(void)
{
	static const struct response too_long = {
	    .status = HTTP_413, .code = "too-long"};
	struct exchange *x;
	struct response a = too_long;

	parts_open(4096, 2, false);
	x = begin();
	check(feed(x, "a\nb") == DECISION_READ, "read on");
	(void)parts_lines();
	x->whole = true;
	check(bulk_queue_cut(x, &a) == DECISION_READ, "awaited");
	verdicts(1, "a\n");
	a = parts_last()->answer;
	check(parts_last()->decision == DECISION_ANSWER &&
		  a.status == HTTP_207 &&
		  memmem(a.text, a.text_len, "\"line\":2", 8) != NULL,
	    "%u", (unsigned)a.status);
	drop(x, &a);
	x = begin();
	a = too_long;
	check(feed(x, "a") == DECISION_READ, "read on");
	check(bulk_queue_cut(x, &a) == DECISION_ANSWER && a.status == HTTP_413,
	    "no line: as it is");
	drop(x, &a);
	parts_close();
}

static void
test_too_many(void)
{
	struct exchange *x;
	struct response a;
	enum decision d = DECISION_READ;
	uint32_t sent = 0;

	parts_open(100000, 2, false);
	x = begin();
	while (sent < BULK_REQUEST_LINES + 1 && d != DECISION_CUT) {
		size_t n = 1000;

		if (sent == BULK_REQUEST_LINES)
			n = 1;
		d = feed_lines(x, n);
		sent += (uint32_t)n;
		n = count(parts_lines());
		if (n > 0)
			verdicts(n, "a\n");
	}
	check(d == DECISION_CUT && sent == BULK_REQUEST_LINES + 1, "behind %u",
	    sent);
	a = (struct response){.status = HTTP_413, .code = "too-long"};
	check(bulk_queue_cut(x, &a) == DECISION_ANSWER && a.status == HTTP_207,
	    "%u", (unsigned)a.status);
	drop(x, &a);
	parts_close();
}

/* The client has gone: what is out is awaited, nothing more is sent. */
static void
test_left(void)
{
	struct exchange *x;
	struct response a;
	enum decision d = DECISION_CUT;

	parts_open(4, 2, false);
	x = begin();
	check(feed(x, "a\nb\nc\n") == DECISION_HOLD, "one waits");
	(void)parts_lines();
	bulk_queue_leave(x);
	check(x->pending == 2 && advance(clock_ms(), &d, &a) == 0,
	    "it waits no more");
	verdicts(1, "a\n");
	check(parts_last()->decision != DECISION_ANSWER, "one is missing");
	verdicts(1, "b\n");
	check(parts_last()->decision == DECISION_ANSWER, "for nobody");
	a = parts_last()->answer;
	check(*parts_lines() == '\0', "the third was not sent");
	drop(x, &a);
	parts_close();
}

/* -- rates ----------------------------------------------------------------- */

/* One with a rate of 1/s, whose body has a length or none. */
static struct exchange *
begin_limited(uint32_t burst, bool chunked)
{
	static const char *const fields[] = {
	    "Content-Length: 1048576", "Transfer-Encoding: chunked"};
	char text[128];
	struct response a;
	enum decision d;
	struct exchange *x;

	parts_access.rate = (struct ratelimit_quota){1, burst};
	parts_open(4096, 4, false);
	snprintf(text, sizeof text,
	    "POST /increments HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n",
	    fields[chunked]);
	x = parts_begin(text, NULL, &d, &a);
	check(d == DECISION_READ, "let in");
	return x;
}

/* All lines or none, once all are there. */
static void
test_counted(void)
{
	static const struct {
		size_t lines;
		enum http_status status;
		bool early;
		uint32_t most;
	} cases[] = {{1, HTTP_202, false, 0}, {7, HTTP_202, false, 0},
	    {64, HTTP_202, false, 0}, {65, HTTP_429, false, 64},
	    {66, HTTP_429, true, 64}, {9999, HTTP_429, true, 64}};

	for (size_t i = 0; i < check_n(cases); i++) {
		struct exchange *x = begin_limited(4, false);
		size_t lines = cases[i].lines;
		struct response a = {0};
		enum decision d = DECISION_READ;

		if (lines > 1)
			d = feed_lines(x, lines - 1);
		check((d == DECISION_CUT) == cases[i].early, "%zu", lines);
		if (cases[i].early) {
			exchange_free(x);
			parts_close();
			continue;
		}
		check(d == DECISION_READ && feed(x, "a") == DECISION_READ &&
			  *parts_lines() == '\0',
		    "%zu: nothing is sent before", lines);
		d = end(x, &a);
		if (cases[i].status == HTTP_202) {
			check(
			    d == DECISION_READ && count(parts_lines()) == lines,
			    "%zu: all are sent", lines);
			verdicts(lines, "a\n");
			check(parts_last()->decision == DECISION_ANSWER,
			    "answered");
			a = parts_last()->answer;
		}
		check(a.status == cases[i].status && a.most == cases[i].most,
		    "%zu: %u", lines, (unsigned)a.status);
		drop(x, &a);
		parts_close();
	}
}

/* One of many lines is let in, the next one has to wait; none is sent. */
static void
test_counted_later(void)
{
	struct exchange *x = begin_limited(4, false), *y;
	struct response a;
	enum decision d;

	y = parts_begin("POST /increments HTTP/1.1\r\nHost: x\r\n"
			"Content-Length: 90\r\n\r\n",
	    NULL, &d, &a);
	check(feed_lines(x, 60) == DECISION_READ, "read on");
	check(end(x, &a) == DECISION_READ, "let in");
	check(count(parts_lines()) == 60, "all are sent");
	check(feed_lines(y, 9) == DECISION_READ, "read on");
	check(end(y, &a) == DECISION_ANSWER && a.status == HTTP_429 &&
		  a.most == 0 && a.retry_s > 1,
	    "%u", (unsigned)a.status);
	check(*parts_lines() == '\0', "none is sent");
	drop(y, &a);
	bulk_queue_leave(x);
	exchange_free(x);
	parts_close();
}

/* Its rate is looked at again. */
static enum decision
look(struct exchange *x, struct response *ret)
{
	check(bulk_queue_next(&parts.bulk, bulk_queue_due(&parts.bulk)) == x,
	    "its time has come");
	return bulk_queue_advance(&parts.bulk, x, ret);
}

/* As many as the burst, then it is not read, and looked at again. */
static void
test_paced(void)
{
	struct exchange *x = begin_limited(10, true);
	struct response a;
	enum decision d = DECISION_CUT;
	int64_t due_ms;

	check(feed_lines(x, 100) == DECISION_HOLD, "used up");
	check(count(parts_lines()) == 10, "the burst");
	due_ms = bulk_queue_due(&parts.bulk);
	check(due_ms < clock_ms() + 1000, "soon");
	check(advance(due_ms - 1, &d, &a) == 0, "not yet");
	check(look(x, &a) == DECISION_HOLD, "still");
	/* As if time had passed. */
	for (size_t i = 0; i < (parts.access.rates.mask + 1) * RATELIMIT_WAYS;
	     i++)
		parts.access.rates.slots[i].tat_ns = 0;
	check(look(x, &a) == DECISION_HOLD && count(parts_lines()) == 10,
	    "ten more");
	/* The queue is away: nothing waits, nor costs anything. */
	parts_answer("{\"error\":{\"code\":\"unavailable\",\"detail\":\"\","
		     "\"line\":1}}\n");
	check(parts_last()->decision == DECISION_READ &&
		  bulk_queue_due(&parts.bulk) == IO_FOREVER &&
		  bulk_request_lines(request_of(x)->bulk) == 100,
	    "the others are not tried");
	bulk_queue_leave(x);
	exchange_free(x);
	parts_close();
}

/* It waits for so long, then what was taken is answered. */
static void
test_paced_end(void)
{
	static const char last[] = "used up after 3 lines\",\"line\":4}}\n";
	struct exchange *x = begin_limited(3, true);
	struct response a = {0};

	parts.bulk.set.pace_ms = 1;
	check(feed(x, "a\n") == DECISION_READ, "the first");
	check(bulk_queue_data(&parts.bulk, x, "a\na\na\na\n", 8, &a) ==
		  DECISION_CUT,
	    "no unit within that time");
	check(count(parts_lines()) == 3, "three were sent");
	verdicts(3, "a\n");
	x->whole = true;
	check(bulk_queue_cut(x, &a) == DECISION_ANSWER &&
		  a.status == HTTP_207 && a.retry_s == 1 && a.quota == 1 &&
		  strcmp(a.policy, "default") == 0,
	    "%u", (unsigned)a.status);
	check(memmem(a.text, a.text_len, last, sizeof last - 1) != NULL, "%.*s",
	    (int)a.text_len, a.text);
	drop(x, &a);
	parts_close();

	/* The same while it is held. */
	x = begin_limited(3, true);
	check(feed_lines(x, 9) == DECISION_HOLD, "held");
	(void)parts_lines();
	request_of(x)->bulk->held_to_ms = 1;
	check(look(x, &a) == DECISION_CUT && a.status == HTTP_429, "cut");
	check(bulk_queue_cut(x, &a) == DECISION_READ &&
		  bulk_queue_due(&parts.bulk) == IO_FOREVER,
	    "it waits no more");
	bulk_queue_leave(x);
	exchange_free(x);
	parts_close();
}

int
main(void)
{
	test_whole();
	test_places();
	test_long_line();
	test_clients();
	test_share();
	test_window();
	test_turns();
	test_waited();
	test_away();
	test_cut();
	test_too_many();
	test_left();
	test_counted();
	test_counted_later();
	test_paced();
	test_paced_end();
	return check_end();
}
