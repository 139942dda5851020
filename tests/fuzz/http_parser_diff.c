/*
 * Any bytes as requests, to our parser and to llhttp, that of Node.js (Debian:
 * node-llhttp, built here in its strict mode).  Whatever ours accepts llhttp
 * accepts as well, with the same method, path and body, from the same bytes;
 * and where ours goes on to the next request llhttp keeps the connection, too.
 *
 * Not so, and why that is no harm:
 *	- a method llhttp does not know: to it, it is PUT;
 *	- chunk extensions that are no token[=token]: read to the end of their
 *	  line by both, to be ignored says RFC 9112, section 7.1.1;
 *	- Proxy-Connection: close, no field of HTTP, ends llhttp's connection;
 *	- upgrades: there are none here, the body is read as that of any other.
 *
 * What llhttp accepts and ours does not (tests/http/table has each):
 *	- Host missing, repeated, neither empty nor host[:port]; authorities
 *	  that are no host[:port], and userinfo: whoever routes by them must not
 *	  differ from us;
 *	- targets with #, * for other methods than OPTIONS, other schemes than
 *	  http and https, CONNECT: nothing here has them;
 *	- more than one space in the request line, none and no version (0.9);
 *	- two empty lines, or LF alone, before the request line, and LF alone
 *	  behind it or the last line: what ends a line must not be a guess;
 *	- folded lines, names of no character, tabs around a length;
 *	- Transfer-Encoding empty, with other codings before chunked, or in
 *	  HTTP/1.0: the lengths that others find would differ;
 *	- chunk sizes of more than eight digits, and lines of them over 256;
 *	- trailers that mean something in a head;
 *	- heads and trailers over 8 KiB or a hundred fields; expectations that
 *	  are not 100-continue; versions but 1.0 and 1.1.
 */
#include "fuzz.h"
#include "http/http_parser.h"

#define HTTP_HEAD THEIR_HTTP_HEAD /* an event of ours has this name */
#include <llhttp/llhttp.h>
#undef HTTP_HEAD
#include <ctype.h>
#include <stdbool.h>

enum { TEXT_MAX = 1 << 16 };

/* One request as one of the parsers has read it. */
struct seen {
	char method[16], path[HTTP_HEAD_MAX];
	size_t path_len, body_len;
	uint64_t body; /* a hash */
	bool keep_alive;
	bool proxied;   /* a field begins with p */
	unsigned whole; /* requests that came to their ends */
};

static struct seen theirs;

static void
add_body(struct seen *s, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->body = (s->body ^ (uint8_t)p[i]) * 0x100000001b3;
	s->body_len += len;
}

/* -- llhttp --------------------------------------------------------------- */

static int
on_url(llhttp_t *l, const char *p, size_t len)
{
	(void)l;
	promise(len <= sizeof theirs.path - theirs.path_len);
	memcpy(theirs.path + theirs.path_len, p, len);
	theirs.path_len += len;
	return 0;
}

static int
on_head(llhttp_t *l)
{
	l->upgrade = 0; /* which incr-serve does not know */
	return 0;
}

/* Proxy-Connection, which is no field of HTTP, ends connections to llhttp. */
static int
on_field(llhttp_t *l, const char *p, size_t len)
{
	(void)l;
	theirs.proxied = theirs.proxied || tolower((unsigned char)*p) == 'p';
	(void)len;
	return 0;
}

static int
on_body(llhttp_t *l, const char *p, size_t len)
{
	(void)l;
	add_body(&theirs, p, len);
	return 0;
}

/* The path of a target: as RFC 9112, section 3.2, draws it. */
static void
cut_path(struct seen *s)
{
	char *from = s->path, *end = s->path + s->path_len, *query;

	if (s->path_len > 0 && *from != '/' && *from != '*') {
		from = memmem(from, s->path_len, "://", 3);
		promise(from != NULL);
		for (from += 3; from < end && *from != '/' && *from != '?';)
			from++;
	}
	query = memchr(from, '?', (size_t)(end - from));
	s->path_len = (size_t)((query == NULL ? end : query) - from);
	memmove(s->path, from, s->path_len);
}

static int
on_end(llhttp_t *l)
{
	const char *name = llhttp_method_name((llhttp_method_t)l->method);

	snprintf(theirs.method, sizeof theirs.method, "%s", name);
	theirs.keep_alive = llhttp_should_keep_alive(l) != 0;
	cut_path(&theirs);
	theirs.whole++;
	return 0;
}

/* False: it stops in a chunk extension. */
static bool
read_theirs(llhttp_t *l, const char *p, size_t len)
{
	llhttp_errno_t e = llhttp_execute(l, p, len);
	const char *at = llhttp_get_error_pos(l), *line = at;

	if (e == HPE_OK)
		return true;
	while (line > p && line[-1] != '\n')
		line--;
	if (memchr(line, ';', (size_t)(at - line) + 1) == NULL ||
	    (e != HPE_STRICT && e != HPE_INVALID_CHUNK_SIZE))
		fprintf(stderr, "llhttp: %s: %s\n", llhttp_errno_name(e),
		    llhttp_get_error_reason(l));
	promise(memchr(line, ';', (size_t)(at - line) + 1) != NULL);
	promise(e == HPE_STRICT || e == HPE_INVALID_CHUNK_SIZE);
	return false;
}

/* -- ours ----------------------------------------------------------------- */

/* A method that llhttp may never have heard of is another one to it. */
static size_t
show_method(
    llhttp_t *l, const struct http_parser *h, const char *p, struct seen *s)
{
	static const char *const names[] = {[HTTP_METHOD_GET] = "GET",
	    [HTTP_METHOD_HEAD] = "HEAD",
	    [HTTP_METHOD_POST] = "POST",
	    [HTTP_METHOD_OPTIONS] = "OPTIONS"};
	size_t skipped = strspn(p, "\r\n");

	promise(h->request.method != HTTP_METHOD_CONNECT);
	if (h->request.method != HTTP_METHOD_OTHER) {
		snprintf(s->method, sizeof s->method, "%s",
		    names[h->request.method]);
		return 0;
	}
	snprintf(s->method, sizeof s->method, "PUT");
	promise(llhttp_execute(l, "PUT", 3) == HPE_OK);
	return skipped + strcspn(p + skipped, " ");
}

/* Reads one request; how many bytes it has, 0 if it is not accepted. */
static size_t
read_ours(struct http_parser *h, llhttp_t *l, const char *p, size_t len,
    struct seen *ret, size_t *ret_skipped)
{
	size_t used = 0, eaten;

	for (;;) {
		enum http_event e =
		    http_parser_step(h, p + used, len - used, &eaten);

		if (e == HTTP_MORE || e == HTTP_FAULT)
			return 0;
		if (e == HTTP_HEAD) {
			*ret_skipped = show_method(l, h, p, ret);
			ret->path_len = h->request.path_len;
			memcpy(
			    ret->path, p + h->request.path_at, ret->path_len);
			ret->keep_alive = h->request.keep_alive;
		}
		if (e == HTTP_DATA)
			add_body(ret, p + used, eaten);
		used += eaten;
		if (e == HTTP_END)
			return used;
	}
}

static void
compare(const struct seen *a, const struct seen *b)
{
	promise(b->whole == 1);
	promise(strcmp(a->method, b->method) == 0);
	promise(a->path_len == b->path_len);
	promise(memcmp(a->path, b->path, a->path_len) == 0);
	promise(a->body_len == b->body_len && a->body == b->body);
	promise(!a->keep_alive || b->keep_alive || b->proxied);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const llhttp_settings_t calls = {.on_url = on_url,
	    .on_header_field = on_field,
	    .on_headers_complete = on_head,
	    .on_body = on_body,
	    .on_message_complete = on_end};
	static char text[TEXT_MAX + 1];
	struct http_parser h = {0};
	struct seen ours;
	llhttp_t l;
	size_t used = 0, n;

	if (len > TEXT_MAX)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	llhttp_init(&l, HTTP_REQUEST, &calls);
	do {
		size_t skipped = 0;

		ours = theirs = (struct seen){0};
		n = read_ours(&h, &l, text + used, len - used, &ours, &skipped);
		if (n == 0 ||
		    !read_theirs(&l, text + used + skipped, n - skipped))
			return 0;
		compare(&ours, &theirs);
		used += n;
	} while (ours.keep_alive && theirs.keep_alive);
	return 0;
}
