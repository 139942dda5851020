/*
 * Every request is given to the parser whole, then in two parts, cut at
 * every byte, then byte by byte: what comes out must be the same.
 */
#include "check.h"
#include "http/http_parser.h"

#include <stdlib.h>

enum { TEXT_MAX = 20000 };

#define HOST "Host: x\r\n"
#define POST "POST /increment HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

/* What came out of one input. */
struct outcome {
	int requests, status;
	char path[64], body[256]; /* of the last one, and of all */
	char values[128];         /* "[authorization][forwarded][key]" */
	size_t body_len;
	enum http_method method;
	bool keep_alive, expects;
};

static const struct {
	const char *text;
	int requests;
	const char *path, *body;
} good[] = {
    {POST "Content-Length: 2\r\n\r\nhi", 1, "/increment", "hi"},
    {POST "content-length:2\r\n\r\nhi", 1, "/increment", "hi"},
    {POST "Content-Length:  2  \r\n\r\nhi", 1, "/increment", "hi"},
    {POST "Content-Length: 002\r\n\r\nhi", 1, "/increment", "hi"},
    {POST "Content-Length: 0\r\n\r\n", 1, "/increment", ""},
    {POST "\r\n", 1, "/increment", ""},
    {POST "Content-Length: 2\r\n\r\nhi" POST "Content-Length: 3\r\n\r\nyou", 2,
	"/increment", "hiyou"},
    {POST "Content-Length: 4\r\n\r\n\r\n\r\n", 1, "/increment", "\r\n\r\n"},
    {"\r\n" POST "\r\n", 1, "/increment", ""},
    {"GET /health/live HTTP/1.0\r\n\r\n", 1, "/health/live", ""},
    {"GET /a?b=c HTTP/1.1\r\n" HOST "\r\n", 1, "/a", ""},
    {"GET http://h/a?b HTTP/1.1\r\n" HOST "\r\n", 1, "/a", ""},
    {"GET HTTPS://h:1 HTTP/1.1\r\n" HOST "\r\n", 1, "", ""},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 1, "*", ""},
    {"GET / HTTP/1.1\r\nhOST: [::1]:80\r\n\r\n", 1, "/", ""},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 1, "/", ""},
    {POST "X:\r\n\r\n", 1, "/increment", ""},
    {POST "X: \xc3\xa9 \t\"\r\n\r\n", 1, "/increment", ""},
    {CHUNKED "2\r\nhi\r\n0\r\n\r\n", 1, "/increment", "hi"},
    {CHUNKED "2\r\nhi\r\n3\r\nyou\r\n0\r\n\r\n", 1, "/increment", "hiyou"},
    {CHUNKED "0\r\n\r\n" CHUNKED "1\r\na\r\n0\r\n\r\n", 2, "/increment", "a"},
    {CHUNKED "02\r\nhi\r\n000\r\n\r\n", 1, "/increment", "hi"},
    {CHUNKED "A\r\n0123456789\r\n0\r\n\r\n", 1, "/increment", "0123456789"},
    {CHUNKED "2;a=\"b\"\r\nhi\r\n0;c\r\n\r\n", 1, "/increment", "hi"},
    {CHUNKED "0\r\nX: y\r\nZ: 1\r\n\r\n", 1, "/increment", ""},
    {CHUNKED "2\r\n\r\n\r\n0\r\n\r\n", 1, "/increment", "\r\n"},
    {POST "Transfer-Encoding: ChunKed\r\n\r\n0\r\n\r\n", 1, "/increment", ""},
};

static const struct {
	const char *text;
	int status;
} bad[] = {
    /* two lengths, or none that is sure */
    {POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 400},
    {POST "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", 400},
    {POST "Content-Length: 2, 2\r\n\r\nhi", 400},
    {POST "Content-Length: +2\r\n\r\nhi", 400},
    {POST "Content-Length: -2\r\n\r\nhi", 400},
    {POST "Content-Length: 0x2\r\n\r\nhi", 400},
    {POST "Content-Length: 2 2\r\n\r\nhi", 400},
    {POST "Content-Length: 2a\r\n\r\nhi", 400},
    {POST "Content-Length:\r\n\r\nhi", 400},
    {POST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	400},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: identity\r\n\r\n", 400},
    {POST "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunkedx\r\n\r\n", 400},
    {POST "Transfer-Encoding:\r\n\r\n", 400},
    {POST "Transfer-Encoding: \x0b"
	  "chunked\r\n\r\n",
	400},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    /* lines */
    {"GET / HTTP/1.1\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: x\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "\n", 400},
    {POST "X: a\rb\r\n\r\n", 400},
    {POST "X: a\r\n b\r\n\r\n", 400},
    {POST "X: a\r\n\tb\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
    {POST "Content-Length : 2\r\n\r\nhi", 400},
    {POST "Content-Length\t: 2\r\n\r\nhi", 400},
    {POST ": a\r\n\r\n", 400},
    {POST "X\r\n\r\n", 400},
    {POST "X(: a\r\n\r\n", 400},
    {POST "X: a\x01\r\n\r\n", 400},
    {POST "X: a\x7f\r\n\r\n", 400},
    {POST "X\xc3\xa9: a\r\n\r\n", 400},
    {"\r\n\r\n" POST "\r\n", 400},
    /* the request line */
    {"GET / HTTP/2.0\r\n", 505},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"GET / HTTP/1.2\r\n", 505},
    {"GET / HTTP/0.9\r\n", 505},
    {"GET / HTTP/1.10\r\n", 400},
    {"GET / HTTP/11\r\n", 400},
    {"GET / http/1.1\r\n", 400},
    {"GET / HTTP/1.1 \r\n", 400},
    {"GET  / HTTP/1.1\r\n", 400},
    {"GET /  HTTP/1.1\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n", 400},
    {"GET /\r\n", 400},
    {"GET\r\n", 400},
    {"GET / x HTTP/1.1\r\n", 400},
    {"GET /\x01 HTTP/1.1\r\n", 400},
    {"GET /\xc3 HTTP/1.1\r\n", 400},
    {"GET /#a HTTP/1.1\r\n", 400},
    {"GET a HTTP/1.1\r\n", 400},
    {"GET ** HTTP/1.1\r\n", 400},
    {"GET http:// HTTP/1.1\r\n", 400},
    {"GET http:///a HTTP/1.1\r\n", 400},
    {"CONNECT h:1 HTTP/1.1\r\n", 400},
    {"G@T / HTTP/1.1\r\n", 400},
    {" GET / HTTP/1.1\r\n", 400},
    {"\x16\x03\x01\x02", 400},
    /* fields */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
    {"GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
    {POST "Expect: 200-ok\r\n\r\n", 417},
    {POST "Authorization: a\r\nauthorization: a\r\n\r\n", 400},
    {POST "Idempotency-Key: a\r\nidempotency-key: a\r\n\r\n", 400},
    {POST "Incr-Line-Offset: 1\r\nincr-line-offset: 1\r\n\r\n", 400},
    {POST "Authorization:\r\nAuthorization: a\r\n\r\n", 400},
    /* chunks */
    {CHUNKED "\r\n", 400},
    {CHUNKED "g\r\n", 400},
    {CHUNKED "0x2\r\nhi\r\n", 400},
    {CHUNKED "+2\r\nhi\r\n", 400},
    {CHUNKED "-2\r\nhi\r\n", 400},
    {CHUNKED " 2\r\nhi\r\n", 400},
    {CHUNKED "2 \r\nhi\r\n", 400},
    {CHUNKED "2 ;a\r\nhi\r\n", 400},
    {CHUNKED "2;a\x01\r\nhi\r\n", 400},
    {CHUNKED "2;a\rb\r\nhi\r\n", 400},
    {CHUNKED "2\nhi\r\n", 400},
    {CHUNKED "123456789\r\n", 400},
    {CHUNKED "ffffffffffffffff2\r\n", 400},
    {CHUNKED "2\r\nhi0\r\n\r\n", 400},
    {CHUNKED "2\r\nhi\n0\r\n\r\n", 400},
    {CHUNKED "2\r\nhi\r0\r\n\r\n", 400},
    {CHUNKED "0\r\nX : y\r\n\r\n", 400},
    {CHUNKED "0\r\n X\r\n\r\n", 400},
    {CHUNKED "0\r\nX: y\n\r\n", 400},
    {CHUNKED "0\r\n\n", 400},
};

static void
show_values(struct outcome *o, const struct http_request *r, const char *p)
{
	const struct http_value *v[] = {&r->authorization, &r->forwarded,
	    &r->idempotency_key, &r->line_offset};
	size_t at = 0;

	for (size_t i = 0; i < check_n(v); i++)
		if (v[i]->at != 0)
			at += (size_t)snprintf(o->values + at,
			    sizeof o->values - at, "[%.*s]", v[i]->len,
			    p + v[i]->at);
}

/* Feeds text, which the parser may look at only up to a limit that grows
 * from each of the cuts to the next. */
static struct outcome
feed(const char *text, size_t len, const size_t *cuts, size_t n_cuts)
{
	struct http_parser h = {0};
	struct outcome o = {0};
	size_t used = 0, eaten;

	for (size_t i = 0; i <= n_cuts; i++) {
		size_t have = i < n_cuts ? cuts[i] : len;
		enum http_event e;

		do {
			/* a copy, so that reading too far is noticed */
			char *p = malloc(have - used + 1);

			memcpy(p, text + used, have - used);
			p = realloc(p, have - used > 0 ? have - used : 1);
			e = http_parser_step(&h, p, have - used, &eaten);
			if (e == HTTP_HEAD) {
				o.method = h.request.method;
				o.keep_alive = h.request.keep_alive;
				o.expects = h.request.expects;
				snprintf(o.path, sizeof o.path, "%.*s",
				    h.request.path_len, p + h.request.path_at);
				show_values(&o, &h.request, p);
			}
			if (e == HTTP_DATA &&
			    o.body_len + eaten < sizeof o.body) {
				memcpy(o.body + o.body_len, p, eaten);
				o.body_len += eaten;
			}
			o.requests += e == HTTP_END;
			used += eaten;
			free(p);
		} while (e != HTTP_MORE && e != HTTP_FAULT);
		o.status = e == HTTP_FAULT ? h.status : 0;
		if (e == HTTP_FAULT)
			break;
	}
	return o;
}

static int
same(const struct outcome *a, const struct outcome *b)
{
	return a->requests == b->requests && a->status == b->status &&
	       a->body_len == b->body_len &&
	       memcmp(a->body, b->body, a->body_len) == 0 &&
	       strcmp(a->path, b->path) == 0 && a->method == b->method &&
	       a->keep_alive == b->keep_alive && a->expects == b->expects &&
	       strcmp(a->values, b->values) == 0;
}

/* The outcome, which must not depend on how the text arrives. */
static struct outcome
feed_cut(const char *text)
{
	static size_t all[TEXT_MAX];
	size_t len = strlen(text);
	struct outcome whole = feed(text, len, NULL, 0), o;

	for (size_t i = 0; i < len && i < TEXT_MAX; i++) {
		all[i] = i;
		o = feed(text, len, &i, 1);
		check(same(&whole, &o), "cut at %zu: %s", i, text);
	}
	o = feed(text, len, all, len);
	check(same(&whole, &o), "byte by byte: %s", text);
	return whole;
}

static void
test_tables(void)
{
	for (size_t i = 0; i < check_n(good); i++) {
		struct outcome o = feed_cut(good[i].text);

		check(o.status == 0, "%s: %d", good[i].text, o.status);
		check(o.requests == good[i].requests, "%s", good[i].text);
		check(strcmp(o.path, good[i].path) == 0, "%s", good[i].text);
		check(o.body_len == strlen(good[i].body) &&
			  memcmp(o.body, good[i].body, o.body_len) == 0,
		    "%s", good[i].text);
	}
	for (size_t i = 0; i < check_n(bad); i++) {
		struct outcome o = feed_cut(bad[i].text);

		check(
		    o.status == bad[i].status, "%s: %d", bad[i].text, o.status);
		check(o.requests == 0, "%s", bad[i].text);
	}
}

static void
test_meaning(void)
{
	struct outcome o = feed_cut(POST "Connection: close\r\n\r\n");

	check(!o.keep_alive && o.method == HTTP_METHOD_POST, "close");
	o = feed_cut(POST "Connection: te , CLOSE\r\n\r\n");
	check(!o.keep_alive, "close in a list");
	o = feed_cut(POST "Connection: closed\r\n\r\n");
	check(o.keep_alive, "closed is not close");
	o = feed_cut("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	check(!o.keep_alive && o.method == HTTP_METHOD_GET, "HTTP/1.0");
	o = feed_cut("HEAD / HTTP/1.1\r\n" HOST "\r\n");
	check(o.method == HTTP_METHOD_HEAD, "HEAD");
	o = feed_cut("get / HTTP/1.1\r\n" HOST "\r\n");
	check(o.method == HTTP_METHOD_OTHER, "methods have their case");
	o = feed_cut(
	    POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi");
	check(o.expects, "100-continue");
	o = feed_cut(POST "Expect: 100-continue\r\n\r\n");
	check(!o.expects, "100-continue without a body");
}

static void
test_values(void)
{
	struct outcome o = feed_cut("\r\n" POST "Authorization: Bearer a \r\n"
				    "X-Forwarded-For: 1.1.1.1\r\n"
				    "x-forwarded-for:2.2.2.2, 3.3.3.3\r\n\r\n");

	check(strcmp(o.values, "[Bearer a][2.2.2.2, 3.3.3.3]") == 0, "%s",
	    o.values);
	o = feed_cut(POST "IDEMPOTENCY-Key: \"a b\"\r\n\r\n");
	check(strcmp(o.values, "[\"a b\"]") == 0, "%s", o.values);
	o = feed_cut(POST "Authorization:\r\n\r\n");
	check(strcmp(o.values, "[]") == 0, "%s", o.values);
	o = feed_cut(POST "Authorizations: a\r\nX-Forwarded: b\r\n\r\n");
	check(strcmp(o.values, "") == 0, "%s", o.values);
	o = feed_cut(POST "Authorization: a\r\n\r\n" POST "\r\n");
	check(o.requests == 2, "the next one has its own");
}

/* text times n behind a beginning. */
static struct outcome
feed_long(const char *begin, const char *text, size_t n, const char *end)
{
	char all[TEXT_MAX];
	size_t len = strlen(begin), text_len = strlen(text);

	memcpy(all, begin, len);
	for (; n > 0 && len + text_len + strlen(end) < TEXT_MAX; n--) {
		memcpy(all + len, text, text_len);
		len += text_len;
	}
	memcpy(all + len, end, strlen(end));
	return feed(all, len + strlen(end), NULL, 0);
}

static void
test_limits(void)
{
	static const char begin[] = POST "X: ";
	size_t rest = HTTP_HEAD_MAX - strlen(begin) - 4;
	struct outcome o;

	o = feed_long(begin, "a", rest, "\r\n\r\n");
	check(o.requests == 1, "a head of 8192 bytes");
	o = feed_long(begin, "a", rest + 1, "\r\n\r\n");
	check(o.status == 431, "a head of 8193 bytes: %d", o.status);
	o = feed_long(begin, "a", 10000, "");
	check(o.status == 431, "a head without end: %d", o.status);
	o = feed_long("GET /", "a", 10000, "");
	check(o.status == 431, "a target without end: %d", o.status);
	o = feed_long(POST, "X: a\r\n", 99, "\r\n");
	check(o.requests == 1, "100 fields");
	o = feed_long(POST, "X: a\r\n", 100, "\r\n");
	check(o.status == 431, "101 fields: %d", o.status);
	o = feed_long(CHUNKED "0\r\n", "X: a\r\n", 101, "\r\n");
	check(o.status == 431, "101 trailers: %d", o.status);
	o = feed_long(CHUNKED "0\r\nX: ", "a", 9000, "\r\n\r\n");
	check(o.status == 431, "a trailer of 9000 bytes: %d", o.status);
	o = feed_long(CHUNKED "2;", "a", 9000, "");
	check(o.status == 400, "an extension without end: %d", o.status);
	o = feed_long(CHUNKED "", "0", 300, "");
	check(o.status == 400, "zeros without end: %d", o.status);
	o = feed_long(POST "Content-Length: ", "9", 5000, "\r\n\r\nhi");
	check(o.requests == 0 && o.status == 0, "a huge body may go on");
}

int
main(void)
{
	test_tables();
	test_meaning();
	test_values();
	test_limits();
	return check_end();
}
