/* The fields of a head that mean something, by name. */
#include "http/http_fields.h"

#include <stddef.h>
#include <string.h>

#include "http/http_chars.h"

enum {
	VALUE_NAME_MIN = sizeof "traceparent" - 1 /* the shortest in values */
};

static bool take_host(struct http_parser *h, const char *value, size_t len);
static bool take_length(struct http_parser *h, const char *value, size_t len);
static bool take_encoding(struct http_parser *h, const char *value, size_t len);
static bool take_connection(
    struct http_parser *h, const char *value, size_t len);
static bool take_expect(struct http_parser *h, const char *value, size_t len);
static bool take_coding(struct http_parser *h, const char *value, size_t len);
static size_t next_word(const char **value, size_t *len, const char **ret_word);

/* The name of a field in lower case, and its length. */
#define FIELD(name_) .name = name_, .name_len = sizeof name_ - 1

static const struct {
	const char *name;
	size_t name_len;
	bool (*take)(struct http_parser *h, const char *value, size_t len);
} fields[] = {
    {FIELD("host"), take_host},
    {FIELD("content-length"), take_length},
    {FIELD("transfer-encoding"), take_encoding},
    {FIELD("connection"), take_connection},
    {FIELD("expect"), take_expect},
    {FIELD("content-encoding"), take_coding},
};

/* Fields whose values the caller reads. */
static const struct {
	const char *name;
	size_t name_len;
	size_t offset;        /* of a struct http_value in the request */
	const char *repeated; /* the fault, or NULL: the last line counts */
	bool lone;            /* several count as an empty one */
} values[] = {
    {FIELD("authorization"), offsetof(struct http_request, authorization),
	"the field Authorization is repeated", false},
    {FIELD("idempotency-key"), offsetof(struct http_request, idempotency_key),
	"the field Idempotency-Key is repeated", false},
    {FIELD("incr-line-offset"), offsetof(struct http_request, line_offset),
	"the field Incr-Line-Offset is repeated", false},
    {FIELD("traceparent"), offsetof(struct http_request, traceparent), NULL,
	true},
    {FIELD("x-forwarded-for"), offsetof(struct http_request, forwarded), NULL,
	false},
};

bool
http_fields_take(struct http_parser *h, const char *p, const char *name,
    size_t name_len, const char *value, size_t len)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i].name_len == name_len &&
		    http_chars_equal(name, name_len, fields[i].name))
			return fields[i].take(h, value, len);
	if (name_len < VALUE_NAME_MIN)
		return true;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct http_value *v =
		    (struct http_value *)((char *)&h->request +
					  values[i].offset);

		if (values[i].name_len != name_len ||
		    !http_chars_equal(name, name_len, values[i].name))
			continue;
		if (v->at != 0 && values[i].repeated != NULL)
			return http_fields_fault(
			    h, HTTP_400, values[i].repeated);
		if (v->at != 0 && values[i].lone)
			len = 0;
		*v = (struct http_value){(uint16_t)(value - p), (uint16_t)len};
	}
	return true;
}

/* It is empty where the target names no host, RFC 9112, section 3.2: as with
 * an HTTP/1.0 request without Host that a proxy passes on. */
static bool
take_host(struct http_parser *h, const char *value, size_t len)
{
	if (++h->hosts > 1)
		return http_fields_fault(
		    h, HTTP_400, "the field Host is repeated");
	if (len > 0 && !http_chars_is_authority(value, len))
		return http_fields_fault(
		    h, HTTP_400, "the field Host is faulty");
	return true;
}

static bool
take_length(struct http_parser *h, const char *value, size_t len)
{
	uint64_t n = 0;

	if (h->request.has_length)
		return http_fields_fault(
		    h, HTTP_400, "the field Content-Length is repeated");
	h->request.has_length = true;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			len = 0;
		else if (n < UINT64_MAX / 20)
			n = n * 10 + (uint64_t)(value[i] - '0');
	}
	if (len == 0 || http_chars_has_tab(value, len))
		return http_fields_fault(
		    h, HTTP_400, "the field Content-Length is faulty");
	h->request.length = n;
	return true;
}

static bool
take_encoding(struct http_parser *h, const char *value, size_t len)
{
	if (h->request.chunked || !http_chars_equal(value, len, "chunked") ||
	    http_chars_has_tab(value, len))
		return http_fields_fault(
		    h, HTTP_400, "Transfer-Encoding can only be chunked");
	h->request.chunked = true;
	return true;
}

/* A list of words, of which only one means something here. */
static bool
take_connection(struct http_parser *h, const char *value, size_t len)
{
	const char *word;
	size_t word_len;

	while ((word_len = next_word(&value, &len, &word)) > 0)
		if (http_chars_equal(word, word_len, "close"))
			h->close = true;
	return true;
}

/* What the caller does with such a body is up to it. */
static bool
take_coding(struct http_parser *h, const char *value, size_t len)
{
	const char *word;
	size_t word_len;

	while ((word_len = next_word(&value, &len, &word)) > 0)
		if (!http_chars_equal(word, word_len, "identity"))
			h->request.encoded = true;
	return true;
}

/* Takes the next word off a list; its length, 0 if there is none. */
static size_t
next_word(const char **value, size_t *len, const char **ret_word)
{
	const char *p = *value, *end = p + *len;

	while (p < end && !http_chars_is(*p, HTTP_CHARS_TOKEN))
		p++;
	*ret_word = p;
	while (p < end && http_chars_is(*p, HTTP_CHARS_TOKEN))
		p++;
	*value = p;
	*len = (size_t)(end - p);
	return (size_t)(p - *ret_word);
}

static bool
take_expect(struct http_parser *h, const char *value, size_t len)
{
	if (!http_chars_equal(value, len, "100-continue"))
		return http_fields_fault(
		    h, HTTP_417, "only 100-continue can be expected");
	h->request.expects = true;
	return true;
}

bool
http_fields_known(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (http_chars_equal(name, len, fields[i].name))
			return true;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (http_chars_equal(name, len, values[i].name))
			return true;
	return false;
}

bool
http_fields_fault(
    struct http_parser *h, enum http_status status, const char *why)
{
	h->state = HTTP_AT_FAULT;
	h->status = (uint16_t)status;
	h->why = why;
	return false;
}
