/* A connection fed with bytes over a socket pair, behind it a handler that
 * decides as the path of the request says. */
#include "check.h"
#include "http/conn.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "http/conn_input.h"

enum { LIMIT_MS = 60000, ASKED_MAX = 80 };

/* What the handler was asked, and what it says next. */
static struct {
	struct exchange *later[ASKED_MAX]; /* requests that wait, in order */
	size_t n_later;
	struct exchange *reading; /* the last one begun */
	size_t begun, ended, left, answered;
	char data[256]; /* of the pieces, as far as it has room */
	size_t n_pieces, n_bytes;
	enum decision on_data, on_cut;
	enum http_status cut_status;
	const char *fields;
} service;

static struct loop loop;
static struct conns all;
static int client; /* the other end of the connection */

static enum decision
answer_ok(struct response *ret)
{
	*ret = (struct response){.status = HTTP_200};
	return DECISION_ANSWER;
}

static const char *
fields(void *ctx, const struct origin *from)
{
	check(ctx == &service && from->role == 1, "where from");
	return service.fields;
}

static enum decision
take_head(void *ctx, struct exchange *x, const struct request_head *h,
    struct response *ret)
{
	const char *path = h->text + h->fields->path_at;

	check(ctx == &service, "the service");
	service.begun++;
	service.reading = x;
	x->limit = memcmp(path, "/pieces/large", 13) == 0 ? 100000 : 10000;
	x->in_pieces = memcmp(path, "/pieces", 7) == 0;
	if (h->fields->path_len == 6 && memcmp(path, "/early", 6) == 0)
		return answer_ok(ret);
	if (h->fields->path_len == 5 && memcmp(path, "/last", 5) == 0)
		x->close = true;
	if (h->fields->path_len == 5 && memcmp(path, "/once", 5) == 0)
		x->close = x->at_once = true;
	return DECISION_READ;
}

static enum decision
take_data(void *ctx, struct exchange *x, const char *p, size_t len,
    struct response *ret)
{
	(void)ctx, (void)x;
	service.n_pieces++;
	service.n_bytes += len;
	if (service.n_bytes < sizeof service.data)
		strncat(service.data, p, len);
	if (service.on_data == DECISION_CUT)
		*ret = response_fault(FAULT_TOO_LONG);
	return service.on_data;
}

/* The body says when: "now" or later. */
static enum decision
take_end(void *ctx, struct exchange *x, const char *body, size_t len,
    struct response *ret)
{
	(void)ctx;
	if (len == 3 && memcmp(body, "now", 3) == 0)
		return answer_ok(ret);
	service.later[service.n_later++] = x;
	x->pending = 1;
	return DECISION_READ;
}

static enum decision
cut(void *ctx, struct exchange *x, struct response *answer)
{
	(void)ctx;
	service.begun += x != service.reading; /* made for the answer */
	service.cut_status = answer->status;
	if (service.on_cut == DECISION_READ)
		service.later[service.n_later++] = x;
	return service.on_cut;
}

static void
leave(void *ctx, struct exchange *x)
{
	(void)ctx, (void)x;
	service.left++;
}

static void
count(void *ctx, const struct exchange *x)
{
	(void)ctx, (void)x;
	service.answered++;
}

static void
end(void *ctx)
{
	(void)ctx;
	service.ended++;
}

static const struct handler handler = {.service = &service,
    .ctx_size = 8,
    .ctx_end = end,
    .fields = fields,
    .head = take_head,
    .data = take_data,
    .end = take_end,
    .cut = cut,
    .left = leave,
    .answered = count};

/* As the loop of a server, until there is nothing to do. */
static void
turn(void)
{
	for (int i = 0; i < 8; i++) {
		loop_wait(&loop, clock_ms());
		conn_flush(&all);
		(void)conn_tick(&all, clock_ms());
	}
}

static void
send_text(const char *text)
{
	check(send(client, text, strlen(text), MSG_NOSIGNAL) ==
		  (ssize_t)strlen(text),
	    "send");
	turn();
}

/* So many bytes of a body. */
static void
send_bytes(int n)
{
	char text[16384];

	snprintf(text, sizeof text, "%0*d", n, 0);
	send_text(text);
}

/* All that has come so far; "EOF" at the end of it if the connection ended. */
static const char *
received(void)
{
	static char text[65536];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(client, text + len, sizeof text - len - 4,
		    MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	if (n == 0) {
		memcpy(text + len, "EOF", 3);
		len += 3;
	}
	text[len] = '\0';
	return text;
}

static bool
starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool
ends(const char *text, const char *with)
{
	size_t len = strlen(text), n = strlen(with);

	return len >= n && strcmp(text + len - n, with) == 0;
}

/* How often needle is in text. */
static size_t
times(const char *text, const char *needle)
{
	size_t n = 0;

	while ((text = strstr(text, needle)) != NULL) {
		n++;
		text += strlen(needle);
	}
	return n;
}

/* The verdict on the request that waits as number i. */
static void
verdict(size_t i, enum http_status status)
{
	service.later[i]->pending = 0;
	conn_decide(service.later[i], DECISION_ANSWER,
	    &(struct response){.status = status});
}

static void
begin(const struct origin *from)
{
	static const struct origin nobody = {.role = 1};
	int pair[2];

	memset(&service, 0, sizeof service);
	service.on_data = DECISION_READ;
	service.on_cut = DECISION_ANSWER;
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0,
	    "socketpair");
	client = pair[1];
	check(conn_open(&all, pair[0], from == NULL ? &nobody : from) == 0,
	    "open");
	turn();
}

/* The client goes; nothing must be left. */
static void
finish(void)
{
	if (client >= 0)
		close(client);
	turn();
	check(all.count == 0 && all.surplus == 0, "%zu connections are left",
	    all.count);
	check(service.begun == service.ended, "%zu exchanges, %zu ended",
	    service.begun, service.ended);
}

#define POST(path_, length_) \
	"POST " path_ " HTTP/1.1\r\nHost: x\r\nContent-Length: " length_ \
	"\r\n\r\n"

static void
test_in_pieces(void)
{
	static const char text[] = POST("/", "3") "now" POST("/", "3") "now";

	begin(NULL);
	for (size_t i = 0; i < sizeof text - 1; i++) {
		char one[2] = {text[i], '\0'};

		send_text(one);
	}
	check(service.begun == 2, "%zu", service.begun);
	check(times(received(), "HTTP/1.1 200 OK\r\n") == 2, "two answers");
	finish();
}

static void
test_pipelined(void)
{
	const char *text;

	begin(NULL);
	send_text(POST("/", "1") "a" POST("/", "1") "b" POST("/", "1") "c");
	check(service.n_later == 3, "%zu", service.n_later);
	verdict(2, HTTP_504);
	verdict(1, HTTP_503);
	turn();
	check(*received() == '\0', "the first one is awaited");
	verdict(0, HTTP_202);
	turn();
	text = received();
	check(starts(text, "HTTP/1.1 202 ") && times(text, "HTTP/1.1 ") == 3 &&
		  strstr(text, " 503 ") < strstr(text, " 504 "),
	    "%s", text);
	finish();
}

/* More are read once the first ones have been answered. */
static void
test_pipeline_limit(void)
{
	char text[70 * 64] = "";

	begin(NULL);
	for (int i = 0; i < 70; i++)
		strcat(text, POST("/", "1") "a");
	send_text(text);
	check(service.n_later == 64, "%zu", service.n_later);
	verdict(0, HTTP_202);
	verdict(1, HTTP_202);
	turn();
	check(service.n_later == 66, "%zu", service.n_later);
	for (size_t i = 2; i < 66; i++)
		verdict(i, HTTP_202);
	turn();
	check(service.n_later == 70, "%zu", service.n_later);
	for (size_t i = 66; i < 70; i++)
		verdict(i, HTTP_202);
	turn();
	check(times(received(), "HTTP/1.1 202 ") == 70, "all answered");
	finish();
}

static void
test_early_answer(void)
{
	const char *text;

	begin(NULL);
	send_text(POST("/early", "6") "abc");
	check(service.answered == 1 && *received() == '\0',
	    "sent behind the body");
	send_text("def" POST("/", "3") "now");
	text = received();
	check(times(text, "HTTP/1.1 200 OK\r\n") == 2 &&
		  strstr(text, "close") == NULL,
	    "the body is discarded, the next one read: %s", text);
	/* Behind more than that the connection ends. */
	send_text(POST("/early", "4097"));
	check(*received() == '\0', "it has to be sent first");
	send_bytes(4097);
	text = received();
	check(starts(text, "HTTP/1.1 200 OK\r\n") &&
		  strstr(text, "Connection: close\r\n") != NULL &&
		  ends(text, "EOF"),
	    "%s", text);
	check(service.cut_status == 0, "it was answered, so it is not cut");
	finish();
}

static void
test_hold(void)
{
	const char *text;

	begin(NULL);
	service.on_data = DECISION_HOLD;
	send_text(POST("/pieces", "6") "ab");
	service.on_data = DECISION_READ;
	send_text("cd");
	send_text("ef" POST("/", "3") "now");
	check(strcmp(service.data, "ab") == 0, "held: %s", service.data);
	conn_decide(service.reading, DECISION_HOLD, NULL);
	turn();
	check(strcmp(service.data, "ab") == 0, "held again: %s", service.data);
	conn_decide(service.reading, DECISION_READ, NULL);
	turn();
	check(strcmp(service.data, "abcdef") == 0, "%s", service.data);
	check(service.n_later == 1 && *received() == '\0', "in order");
	verdict(0, HTTP_202);
	turn();
	text = received();
	check(starts(text, "HTTP/1.1 202 ") && strstr(text, " 200 OK") != NULL,
	    "%s", text);
	finish();
}

/* What follows in one piece with what was held must not be parsed either. */
static void
test_hold_within(void)
{
	begin(NULL);
	service.on_data = DECISION_HOLD;
	send_text("POST /pieces HTTP/1.1\r\nHost: x\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n"
		  "1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
	check(strcmp(service.data, "a") == 0, "%s", service.data);
	conn_decide(service.reading, DECISION_READ, NULL);
	turn();
	check(strcmp(service.data, "ab") == 0, "%s", service.data);
	service.on_data = DECISION_READ;
	conn_decide(service.reading, DECISION_READ, NULL);
	turn();
	check(service.n_later == 1, "whole");
	verdict(0, HTTP_202);
	turn();
	check(starts(received(), "HTTP/1.1 202 "), "answered");
	finish();
}

/* The handler cuts, and its answer comes later; nothing more is parsed, and
 * what the client still sends is read until it ends. */
static void
test_cut(void)
{
	const char *text;

	begin(NULL);
	service.on_data = DECISION_CUT;
	service.on_cut = DECISION_READ;
	send_text(POST("/pieces", "6") "abcdef" POST("/", "3") "now");
	check(service.cut_status == HTTP_413, "%d", (int)service.cut_status);
	check(service.begun == 1 && *received() == '\0', "waits");
	service.later[0]->pending = 1;
	verdict(0, HTTP_207);
	turn();
	text = received();
	check(starts(text, "HTTP/1.1 207 ") &&
		  strstr(text, "Connection: close\r\n") != NULL &&
		  ends(text, "EOF"),
	    "%s", text);
	check(all.count == 1 && conn_unsent(&all) == 1, "it lingers");
	send_text("more");
	check(all.count == 1, "the rest is read");
	finish();
}

static void
test_cut_from_outside(void)
{
	begin(NULL);
	send_text(POST("/pieces", "6") "abc");
	conn_decide(service.reading, DECISION_CUT,
	    &(struct response){.status = HTTP_503, .code = "x", .detail = "y"});
	turn();
	check(*received() == '\0', "the rest is read first");
	send_text("def");
	check(service.answered == 1 && service.data[3] == '\0', "and dropped");
	check(starts(received(), "HTTP/1.1 503 "), "answered");
	check(all.lists[CONN_LINGERING].n == 1, "it lingers");
	finish();
}

static void
test_faulty(void)
{
	const char *text;

	begin(NULL);
	send_text(POST("/", "1") "a"
				 "GET / HTTP/1.1\r\n\r\n");
	check(*received() == '\0', "behind the first");
	verdict(0, HTTP_202);
	turn();
	text = received();
	check(starts(text, "HTTP/1.1 202 ") && times(text, " 400 ") == 1 &&
		  ends(text, "EOF"),
	    "%s", text);
	finish();
}

/* Chunks without end: within the bound they are read, then no more. */
static void
test_too_long_for_ever(void)
{
	int sent = 0;

	begin(NULL);
	send_text("POST / HTTP/1.1\r\nHost: x\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n");
	for (; sent < 20000 && *received() == '\0'; sent++) {
		char text[1100];

		snprintf(text, sizeof text, "3e8\r\n%01000d\r\n", 0);
		send_text(text);
	}
	check(sent == CONN_INPUT_READ_ON / 1000 + 1, "%d", sent);
	finish();
}

/* What no head was read of is answered with the service's fields, too. */
static void
test_fields(void)
{
	static const char *const texts[] = {
	    POST("/early", "1") "a", "zz\r\n\r\n", POST("/", "10001") "abc"};

	for (size_t i = 0; i < check_n(texts); i++) {
		begin(NULL);
		service.fields = "A: b\r\n";
		send_text(texts[i]);
		shutdown(client, SHUT_WR);
		turn();
		check(times(received(), "\r\nA: b\r\n") == 1, "%s", texts[i]);
		finish();
	}
}

static void
test_too_long(void)
{
	begin(NULL);
	send_text(POST("/", "10001") "abc");
	check(service.cut_status == HTTP_413, "%d", (int)service.cut_status);
	check(*received() == '\0', "the rest is read first");
	send_bytes(9998);
	check(service.n_later == 0 && ends(received(), "EOF"), "closed");
	finish();
	/* Too much to be read. */
	begin(NULL);
	send_text(POST("/", "16777217") "abc");
	check(ends(received(), "EOF"), "closed");
	finish();
	/* Who expects 100 sends no more. */
	begin(NULL);
	send_text("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n"
		  "Expect: 100-continue\r\n\r\n");
	check(starts(received(), "HTTP/1.1 413 "), "at once");
	finish();
	/* In chunks it is known later. */
	begin(NULL);
	send_text("POST / HTTP/1.1\r\nHost: x\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 10; i++) {
		char text[1100];

		snprintf(text, sizeof text, "3e8\r\n%01000d\r\n", 0);
		send_text(text);
	}
	check(service.cut_status == 0, "so much may come");
	send_text("1\r\na\r\n");
	check(service.cut_status == HTTP_413 && *received() == '\0', "%d",
	    (int)service.cut_status);
	send_text("1\r\na\r\n0\r\n\r\n");
	check(ends(received(), "EOF"), "closed");
	finish();
	test_too_long_for_ever();
}

static void
test_continue(void)
{
	static const char go[] = "HTTP/1.1 100 Continue\r\n\r\n";
	static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\n"
				   "Expect: 100-continue\r\n"
				   "Content-Length: 3\r\n\r\n";
	const char *text;

	begin(NULL);
	send_text(head);
	check(strcmp(received(), go) == 0, "100");
	send_text("now");
	check(starts(received(), "HTTP/1.1 200 "), "once");
	/* Not before the answer to the one before. */
	send_text(POST("/", "1") "a");
	send_text(head);
	check(*received() == '\0', "not its turn");
	verdict(0, HTTP_202);
	turn();
	text = received();
	check(starts(text, "HTTP/1.1 202 ") && ends(text, go), "%s", text);
	send_text("now");
	check(starts(received(), "HTTP/1.1 200 "), "the second");
	/* Nor when it is known that the body is of no use. */
	send_text("POST /early HTTP/1.1\r\nHost: x\r\n"
		  "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	text = received();
	check(starts(text, "HTTP/1.1 200 ") && ends(text, "EOF"), "%s", text);
	finish();
}

/* The client goes; what waits for verdicts is kept until they come. */
static void
test_left(void)
{
	begin(NULL);
	send_text(POST("/pieces", "1") "a" POST("/", "1") "b" POST("/", "2"));
	check(service.n_later == 2, "%zu", service.n_later);
	close(client);
	client = -1;
	turn();
	check(all.count == 0 && service.left == 1, "gone");
	check(service.ended == 1 && service.answered == 0,
	    "only the one that was not whole: %zu", service.ended);
	verdict(0, HTTP_202);
	check(service.ended == 2 && service.answered == 1, "answered, freed");
	verdict(1, HTTP_202);
	check(service.ended == 3 && service.answered == 2, "answered, freed");
	finish();
}

static void
test_left_in_pieces(void)
{
	begin(NULL);
	send_text(POST("/pieces", "2") "a");
	close(client);
	client = -1;
	turn();
	check(service.left == 1 && service.ended == 1, "%zu", service.left);
	finish();
}

/* Whoever has only ended his output gets his answers. */
static void
test_half_closed(void)
{
	const char *text;

	begin(NULL);
	send_text(POST("/", "1") "a" POST("/", "2") "b");
	shutdown(client, SHUT_WR);
	turn();
	verdict(0, HTTP_202);
	turn();
	text = received();
	check(
	    times(text, "HTTP/1.1 202 ") == 1 && ends(text, "EOF"), "%s", text);
	check(all.count == 0, "no lingering: the client has ended");
	finish();
}

static void
test_last(void)
{
	const char *text;

	begin(NULL);
	send_text("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		  "Content-Length: 3\r\n\r\nnow");
	check(ends(received(), "EOF") && all.count == 0, "as it asked");
	finish();
	begin(NULL);
	send_text(POST("/last", "3") "now" POST("/", "3") "now");
	text = received();
	check(times(text, "HTTP/1.1 200 ") == 1 &&
		  strstr(text, "Connection: close") != NULL &&
		  ends(text, "EOF"),
	    "%s", text);
	check(all.lists[CONN_LINGERING].n == 1, "it may have sent more");
	finish();
	begin(NULL);
	send_text(POST("/once", "3") "now" POST("/", "3") "now");
	text = received();
	check(times(text, "HTTP/1.1 200 ") == 1 &&
		  strstr(text, "Connection: close") != NULL &&
		  ends(text, "EOF"),
	    "%s", text);
	check(all.count == 0, "no lingering: the service says so");
	finish();
}

/* The one that is idle ends, the one whose request is on its way, or waits for
 * an answer, gets it. */
static void
test_closing_idle(void)
{
	const char *request = POST("/", "1") "a";
	char byte[2] = "";

	begin(NULL);
	for (size_t i = 0; request[i] != '\0'; i++) {
		byte[0] = request[i];
		send_text(byte);
		conn_close_all(&all, true);
		turn();
		check(all.count == 1, "it waits, %zu", i);
	}
	verdict(0, HTTP_202);
	turn();
	check(ends(received(), "EOF"), "the last one");
	all.closing = all.no_idle = false;
	finish();
	begin(NULL);
	conn_close_all(&all, true);
	(void)conn_tick(&all, clock_ms());
	turn();
	check(all.count == 0, "idle");
	all.closing = all.no_idle = false;
	finish();
}

static void
test_closing(void)
{
	const char *text;

	begin(NULL);
	send_text(POST("/", "1") "a" POST("/", "1") "b");
	conn_close_all(&all, false);
	verdict(0, HTTP_202);
	turn();
	check(strstr(received(), "close") == NULL, "another one waits");
	verdict(1, HTTP_202);
	turn();
	text = received();
	check(strstr(text, "Connection: close") != NULL && ends(text, "EOF"),
	    "%s", text);
	all.closing = false;
	finish();
}

static void
test_time(void)
{
	static const struct {
		const char *text, *answer;
	} cases[] = {
	    {"", ""},
	    {"POST / HT", "HTTP/1.1 408 "},
	    {POST("/", "3") "a", "HTTP/1.1 408 "},
	    {POST("/pieces", "3") "a", "HTTP/1.1 408 "},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		const char *text;

		begin(NULL);
		send_text(cases[i].text);
		(void)conn_tick(&all, clock_ms() + LIMIT_MS - 1000);
		turn();
		check(*received() == '\0', "%zu: in time", i);
		(void)conn_tick(&all, clock_ms() + LIMIT_MS);
		turn();
		text = received();
		check(starts(text, cases[i].answer) && ends(text, "EOF"),
		    "%zu: %s", i, text);
		finish();
	}
	/* Verdicts have a time limit of their own. */
	begin(NULL);
	send_text(POST("/", "1") "a");
	check(conn_tick(&all, clock_ms() + 10 * LIMIT_MS) == IO_FOREVER,
	    "nothing is due");
	verdict(0, HTTP_202);
	turn();
	check(starts(received(), "HTTP/1.1 202 "), "answered");
	finish();
}

/* The time for a body ends with its last byte, and does not begin anew with
 * each. */
static void
test_time_of_body(void)
{
	const struct timerlist *l = &all.lists[CONN_BODY];
	int64_t due_ms, now_ms = clock_ms();

	begin(NULL);
	send_text(POST("/", "3") "n");
	due_ms = timerlist_next(l);
	while (clock_ms() < now_ms + 5)
		;
	send_text("o");
	check(timerlist_next(l) == due_ms, "the same body");
	send_text("x" POST("/", "3") "n");
	check(timerlist_next(l) > due_ms, "another one");
	verdict(0, HTTP_202);
	finish();
}

/* What a client does not read is kept, and nothing more is read from it.  A
 * request in pieces ends only with it. */
static void
test_slow_reader(const char *request, bool in_pieces)
{
	enum { SIZE = 1 << 20 };
	size_t got = 0;
	char *big = malloc(SIZE);
	char text[4096];
	ssize_t n;

	begin(NULL);
	send_text(request);
	memset(big, 'x', SIZE);
	service.later[0]->pending = 0;
	conn_decide(service.later[0], DECISION_ANSWER,
	    &(struct response){.status = HTTP_200,
		.type = "text/plain",
		.text = big,
		.text_len = SIZE});
	turn();
	check(all.lists[CONN_WRITING].n == 1 && service.answered == 1 &&
		  service.ended == !in_pieces,
	    "%zu ended", service.ended);
	send_text(POST("/", "3") "now");
	check(service.begun == 1, "nothing is read");
	while ((n = recv(client, text, sizeof text, MSG_DONTWAIT)) > 0) {
		got += (size_t)n;
		turn();
	}
	check(all.lists[CONN_WRITING].n == 0 && service.begun == 2 &&
		  service.ended == 2 && got > SIZE,
	    "%zu", got);
	finish();
}

/* A body that is there goes on in few pieces. */
static void
test_large_body(void)
{
	static const char head[] = POST("/pieces/large", "60000");
	static char text[sizeof head - 1 + 60000];

	begin(NULL);
	memset(text, 'a', sizeof text);
	send_text(head);
	check(send(client, text, 60000, MSG_NOSIGNAL) == 60000, "send");
	turn();
	check(service.n_bytes == 60000 && service.n_pieces == 1,
	    "%zu bytes in %zu pieces", service.n_bytes, service.n_pieces);
	service.n_pieces = 0;
	verdict(0, HTTP_202);
	turn();
	memcpy(text, head, sizeof head - 1);
	check(send(client, text, sizeof text, MSG_NOSIGNAL) > 60000, "send");
	turn();
	check(service.n_bytes == 120000 && service.n_pieces == 2,
	    "%zu bytes in %zu pieces", service.n_bytes, service.n_pieces);
	verdict(1, HTTP_202);
	turn();
	finish();
}

static void
test_surplus(void)
{
	static const struct origin over = {.role = 1, .surplus = true};

	begin(&over);
	check(all.surplus == 1 && all.lists[CONN_HEAD].n == 1,
	    "no longer than the time for a head");
	finish();
}

int
main(void)
{
	static const int64_t limit_ms[CONN_STATES] = {LIMIT_MS, LIMIT_MS,
	    LIMIT_MS, [CONN_WRITING] = LIMIT_MS, [CONN_LINGERING] = LIMIT_MS};

	check(loop_open(&loop) == 0, "loop");
	conn_init(&all, &loop, &handler, limit_ms);
	test_in_pieces();
	test_pipelined();
	test_pipeline_limit();
	test_early_answer();
	test_hold();
	test_hold_within();
	test_cut();
	test_cut_from_outside();
	test_faulty();
	test_fields();
	test_too_long();
	test_continue();
	test_left();
	test_left_in_pieces();
	test_half_closed();
	test_last();
	test_closing();
	test_closing_idle();
	test_time();
	test_time_of_body();
	test_slow_reader(POST("/", "1") "a", false);
	test_slow_reader(POST("/pieces", "1") "a", true);
	test_large_body();
	test_surplus();
	buf_free(&all.reply);
	loop_close(&loop);
	return check_end();
}
