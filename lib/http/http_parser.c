/* The parser of HTTP/1.1 requests: heads, bodies, chunks, trailers. */
#include "http/http_parser.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "http/http_chars.h"
#include "http/http_fields.h"
#include "http/http_status.h"

enum { HEX_DIGITS_MAX = 8 };

static enum http_event read_head(
    struct http_parser *h, const char *p, size_t len, size_t *ret_eaten);
static bool read_head_line(struct http_parser *h, const char *p, size_t len);
static enum http_event end_head(struct http_parser *h, size_t *ret_eaten);
static bool read_request_line(
    struct http_parser *h, const char *p, const char *line, size_t len);
static enum http_method find_method(const char *name, size_t len);
static bool read_target(
    struct http_parser *h, const char *p, const char *target, size_t len);
static bool read_version(
    struct http_parser *h, const char *version, size_t len);
static size_t read_field(struct http_parser *h, const char *line, size_t len,
    const char **ret_value, size_t *ret_value_len);
static enum http_event read_bytes(
    struct http_parser *h, size_t len, enum http_state then, size_t *ret_eaten);
static enum http_event read_size(
    struct http_parser *h, const char *p, size_t len, size_t *ret_eaten);
static enum http_event read_newline(
    struct http_parser *h, const char *p, size_t len, size_t *ret_eaten);
static enum http_event read_trailer(
    struct http_parser *h, const char *p, size_t len, size_t *ret_eaten);

enum http_event
http_parser_step(
    struct http_parser *h, const char *p, size_t len, size_t *ret_eaten)
{
	*ret_eaten = 0;
	switch (h->state) {
	case HTTP_AT_HEAD: return read_head(h, p, len, ret_eaten);
	case HTTP_AT_BODY: return read_bytes(h, len, HTTP_AT_END, ret_eaten);
	case HTTP_AT_SIZE: return read_size(h, p, len, ret_eaten);
	case HTTP_AT_CHUNK:
		return read_bytes(h, len, HTTP_AT_NEWLINE, ret_eaten);
	case HTTP_AT_NEWLINE: return read_newline(h, p, len, ret_eaten);
	case HTTP_AT_TRAILER: return read_trailer(h, p, len, ret_eaten);
	case HTTP_AT_END:
		*h = (struct http_parser){.state = HTTP_AT_HEAD};
		return HTTP_END;
	case HTTP_AT_FAULT: return HTTP_FAULT;
	}
	return HTTP_FAULT;
}

/* -- the head ------------------------------------------------------------ */

static enum http_event
read_head(struct http_parser *h, const char *p, size_t len, size_t *ret_eaten)
{
	/* A fault at once if this can't become a request (TLS, say). */
	if (len > 0 && !http_chars_is(p[0], HTTP_CHARS_TOKEN) && p[0] != '\r') {
		http_fields_fault(h, HTTP_400, "the request line is faulty");
		return HTTP_FAULT;
	}
	while (read_head_line(h, p, len))
		if (h->state != HTTP_AT_HEAD)
			return end_head(h, ret_eaten);
	return h->state == HTTP_AT_FAULT ? HTTP_FAULT : HTTP_MORE;
}

/* Reads one line; the empty one moves on to the body.  False if there is no
 * whole line, or on a fault. */
static bool
read_head_line(struct http_parser *h, const char *p, size_t len)
{
	const char *line = p + h->at, *value;
	const char *lf = h->at < len ? memchr(line, '\n', len - h->at) : NULL;
	size_t n = lf == NULL ? 0 : (size_t)(lf - line), name_len, value_len;

	if ((lf == NULL && len > HTTP_HEAD_MAX) ||
	    (lf != NULL && lf - p >= HTTP_HEAD_MAX))
		return http_fields_fault(
		    h, HTTP_431, "the head must not exceed 8192 bytes");
	if (lf == NULL)
		return false;
	if (n == 0 || line[n - 1] != '\r')
		return http_fields_fault(
		    h, HTTP_400, "lines of the head must end with CRLF");
	n--;
	h->at = (uint16_t)(h->at + n + 2);
	if (!h->has_line && n == 0 && !h->skipped)
		return h->skipped = true; /* RFC 9112, section 2.2 */
	if (!h->has_line)
		return h->has_line = read_request_line(h, p, line, n);
	if (n == 0) {
		h->state = HTTP_AT_END;
		return true;
	}
	name_len = read_field(h, line, n, &value, &value_len);
	return name_len > 0 &&
	       http_fields_take(h, p, line, name_len, value, value_len);
}

static enum http_event
end_head(struct http_parser *h, size_t *ret_eaten)
{
	struct http_request *r = &h->request;

	if (h->hosts == 0 && !r->http_1_0)
		http_fields_fault(h, HTTP_400, "the field Host is missing");
	else if (r->chunked && (r->has_length || r->http_1_0))
		http_fields_fault(h, HTTP_400,
		    "Transfer-Encoding with Content-Length or HTTP/1.0");
	if (h->state == HTTP_AT_FAULT)
		return HTTP_FAULT;
	r->keep_alive = !r->http_1_0 && !h->close;
	h->left = r->length;
	if (r->chunked)
		h->state = HTTP_AT_SIZE;
	else if (r->length > 0)
		h->state = HTTP_AT_BODY;
	r->expects = r->expects && !r->http_1_0 && h->state != HTTP_AT_END;
	*ret_eaten = h->at;
	return HTTP_HEAD;
}

/* method SP target SP version */
static bool
read_request_line(
    struct http_parser *h, const char *p, const char *line, size_t len)
{
	const char *end = line + len, *space, *target;
	size_t method_len = 0;

	while (method_len < len &&
	       http_chars_is(line[method_len], HTTP_CHARS_TOKEN))
		method_len++;
	target = line + method_len + 1;
	space = method_len > 0 && method_len < len && line[method_len] == ' '
		    ? memchr(target, ' ', (size_t)(end - target))
		    : NULL;
	if (space == NULL)
		return http_fields_fault(
		    h, HTTP_400, "the request line is faulty");
	h->request.method = (uint8_t)find_method(line, method_len);
	return read_version(h, space + 1, (size_t)(end - space - 1)) &&
	       read_target(h, p, target, (size_t)(space - target));
}

static enum http_method
find_method(const char *name, size_t len)
{
	if (len == 4 && memcmp(name, "POST", 4) == 0)
		return HTTP_METHOD_POST;
	if (len == 3 && memcmp(name, "GET", 3) == 0)
		return HTTP_METHOD_GET;
	if (len == 4 && memcmp(name, "HEAD", 4) == 0)
		return HTTP_METHOD_HEAD;
	if (len == 7 && memcmp(name, "OPTIONS", 7) == 0)
		return HTTP_METHOD_OPTIONS;
	if (len == 7 && memcmp(name, "CONNECT", 7) == 0)
		return HTTP_METHOD_CONNECT;
	return HTTP_METHOD_OTHER;
}

/* /path[?query], http://authority[/path][?query], for OPTIONS also * */
static bool
read_target(
    struct http_parser *h, const char *p, const char *target, size_t len)
{
	static const char why[] = "the target of the request is faulty";
	const char *path = target, *end = target + len, *authority = NULL;

	if (h->request.method == HTTP_METHOD_CONNECT)
		return http_fields_fault(
		    h, HTTP_400, "CONNECT is not supported");
	for (size_t i = 0; i < len; i++)
		if (!http_chars_is(target[i], HTTP_CHARS_TARGET))
			return http_fields_fault(h, HTTP_400, why);
	if (len > 7 && strncasecmp(target, "http://", 7) == 0)
		authority = target + 7;
	else if (len > 8 && strncasecmp(target, "https://", 8) == 0)
		authority = target + 8;
	if (authority != NULL) {
		path = authority;
		while (path < end && *path != '/' && *path != '?')
			path++;
	}
	if (len == 0 ||
	    !(authority != NULL
		    ? http_chars_is_authority(
			  authority, (size_t)(path - authority))
		    : *path == '/' ||
			  (h->request.method == HTTP_METHOD_OPTIONS &&
			      http_chars_equal(path, len, "*"))))
		return http_fields_fault(h, HTTP_400, why);
	h->request.path_at = (uint16_t)(path - p);
	while (path < end && *path != '?')
		path++;
	h->request.path_len = (uint16_t)(path - p - h->request.path_at);
	return true;
}

static bool
read_version(struct http_parser *h, const char *version, size_t len)
{
	if (len != 8 || memcmp(version, "HTTP/", 5) != 0 || version[6] != '.' ||
	    version[5] < '0' || version[5] > '9' || version[7] < '0' ||
	    version[7] > '9')
		return http_fields_fault(
		    h, HTTP_400, "the request line is faulty");
	if (version[5] != '1' || version[7] > '1')
		return http_fields_fault(
		    h, HTTP_505, "only HTTP/1.0 and HTTP/1.1 are supported");
	h->request.http_1_0 = version[7] == '0';
	return true;
}

/* name ":" OWS value OWS; returns the length of the name, 0 on a fault. */
static size_t
read_field(struct http_parser *h, const char *line, size_t len,
    const char **ret_value, size_t *ret_value_len)
{
	const char *value, *end = line + len;
	size_t name_len = 0;

	if (++h->fields > HTTP_FIELDS_MAX)
		return http_fields_fault(
		    h, HTTP_431, "the head has more than 100 fields");
	while (
	    name_len < len && http_chars_is(line[name_len], HTTP_CHARS_TOKEN))
		name_len++;
	if (name_len == 0 || name_len == len || line[name_len] != ':')
		return http_fields_fault(
		    h, HTTP_400, "a field of the head is faulty");
	value = line + name_len + 1;
	for (const char *c = value; c < end; c++)
		if (!http_chars_is(*c, HTTP_CHARS_TEXT))
			return http_fields_fault(
			    h, HTTP_400, "a field of the head is faulty");
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*ret_value = value;
	*ret_value_len = (size_t)(end - value);
	return name_len;
}

/* -- the body ------------------------------------------------------------ */

static enum http_event
read_bytes(
    struct http_parser *h, size_t len, enum http_state then, size_t *ret_eaten)
{
	if (len == 0)
		return HTTP_MORE;
	if (len > h->left)
		len = (size_t)h->left;
	h->left -= len;
	if (h->left == 0)
		h->state = then;
	*ret_eaten = len;
	return HTTP_DATA;
}

/* 1*8HEXDIG [";" extensions] CRLF */
static enum http_event
read_size(struct http_parser *h, const char *p, size_t len, size_t *ret_eaten)
{
	size_t max = len < HTTP_CHUNK_LINE_MAX ? len : HTTP_CHUNK_LINE_MAX;
	const char *lf = max == 0 ? NULL : memchr(p, '\n', max);
	size_t i = 0, n;
	bool good;

	if (lf == NULL && len < HTTP_CHUNK_LINE_MAX)
		return HTTP_MORE;
	h->left = 0;
	n = lf == NULL || lf == p || lf[-1] != '\r' ? 0 : (size_t)(lf - p) - 1;
	for (; i < n && hex_value(p[i]) >= 0; i++)
		h->left = h->left << 4 | (uint64_t)hex_value(p[i]);
	good = i > 0 && i <= HEX_DIGITS_MAX && (i == n || p[i] == ';');
	for (; i < n; i++)
		good = good && http_chars_is(p[i], HTTP_CHARS_TEXT);
	if (!good) {
		http_fields_fault(h, HTTP_400, "the size of a chunk is faulty");
		return HTTP_FAULT;
	}
	h->state = h->left == 0 ? HTTP_AT_TRAILER : HTTP_AT_CHUNK;
	*ret_eaten = n + 2;
	return HTTP_FRAMING;
}

static enum http_event
read_newline(
    struct http_parser *h, const char *p, size_t len, size_t *ret_eaten)
{
	if ((len > 0 && p[0] != '\r') || (len > 1 && p[1] != '\n')) {
		http_fields_fault(
		    h, HTTP_400, "a chunk is longer than its size");
		return HTTP_FAULT;
	}
	if (len < 2)
		return HTTP_MORE;
	h->state = HTTP_AT_SIZE;
	*ret_eaten = 2;
	return HTTP_FRAMING;
}

/* Fields of the trailer are checked and dropped.  A field with a meaning in
 * a head is a fault: some servers would obey it, others not. */
static enum http_event
read_trailer(
    struct http_parser *h, const char *p, size_t len, size_t *ret_eaten)
{
	const char *lf = len == 0 ? NULL : memchr(p, '\n', len), *value;
	size_t n = lf == NULL ? len : (size_t)(lf - p) + 1, value_len, name_len;

	if (h->trailers + n > HTTP_HEAD_MAX)
		http_fields_fault(
		    h, HTTP_431, "the trailers must not exceed 8192 bytes");
	else if (lf != NULL && (n < 2 || lf[-1] != '\r'))
		http_fields_fault(
		    h, HTTP_400, "lines of the trailer must end with CRLF");
	else if (lf != NULL && n > 2 &&
		 (name_len = read_field(h, p, n - 2, &value, &value_len)) > 0 &&
		 http_fields_known(p, name_len))
		http_fields_fault(
		    h, HTTP_400, "a trailer has a field of the head");
	if (h->state == HTTP_AT_FAULT)
		return HTTP_FAULT;
	if (lf == NULL)
		return HTTP_MORE;
	if (n == 2)
		h->state = HTTP_AT_END;
	h->trailers = (uint16_t)(h->trailers + n);
	*ret_eaten = n;
	return HTTP_FRAMING;
}
