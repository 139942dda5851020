/* Turns a raw payload of the queue into exactly one line. */
#include "queue/rmq_payload.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/lines.h"
#include "record/control.h"
#include "record/json.h"

enum { SIGNATURE = 5 };
static const char signature[SIGNATURE] = "\xff\x00\xbe\xbe\x4a";

static enum fault check_header(const char *text, size_t len);
static bool are_strings(const struct json *values);
static bool is_string(const struct json *v);
static enum fault add_text(
    struct buf *out, const char *text, size_t len, uint64_t number);
static enum fault add_error(struct buf *out, enum fault fault, uint64_t number);

enum fault
rmq_payload_strip(
    const char *raw, size_t len, const char **ret_text, size_t *ret_len)
{
	size_t header = rmq_payload_header(raw, len);
	enum fault fault = FAULT_NONE;

	if (header == SIZE_MAX)
		return FAULT_FAULTY_HEADER;
	if (header > 0)
		fault = check_header(raw + SIGNATURE, header - 1 - SIGNATURE);
	if (fault != FAULT_NONE)
		return fault;
	*ret_text = raw + header;
	*ret_len = len - header;
	return FAULT_NONE;
}

size_t
rmq_payload_header(const char *raw, size_t len)
{
	const char *newline;

	if (len < SIGNATURE || memcmp(raw, signature, SIGNATURE) != 0)
		return 0;
	newline = memchr(raw, '\n',
	    len > RMQ_PAYLOAD_HEADER_MAX ? RMQ_PAYLOAD_HEADER_MAX : len);
	return newline == NULL ? SIZE_MAX : (size_t)(newline + 1 - raw);
}

enum fault
rmq_payload_add_line(
    struct buf *out, const char *raw, size_t len, uint64_t number)
{
	const char *text;
	size_t text_len;
	enum fault fault = rmq_payload_strip(raw, len, &text, &text_len);

	if (fault == FAULT_NONE)
		return add_text(out, text, text_len, number);
	if (fault == FAULT_UNAVAILABLE)
		return fault;
	return add_error(out, fault, number);
}

static enum fault
check_header(const char *text, size_t len)
{
	struct json_text json;
	bool good;

	switch (json_load(text, len, &json)) {
	case JSON_LOADED: break;
	case JSON_MALFORMED: return FAULT_FAULTY_HEADER;
	case JSON_NO_MEMORY: return FAULT_UNAVAILABLE;
	}
	good = !json.replaced && json_kind(json.root) == JSON_KIND_OBJECT &&
	       json_every(json.root, are_strings);
	json_free(json.root);
	return good ? FAULT_NONE : FAULT_FAULTY_HEADER;
}

static bool
are_strings(const struct json *values)
{
	return json_kind(values) == JSON_KIND_NULL ||
	       (json_kind(values) == JSON_KIND_ARRAY &&
		   json_every(values, is_string));
}

static bool
is_string(const struct json *v)
{
	return json_kind(v) == JSON_KIND_STRING;
}

static enum fault
add_text(struct buf *out, const char *text, size_t len, uint64_t number)
{
	char *at, *end;

	if (len > LINES_JSON_MAX)
		return add_error(out, FAULT_TOO_LONG, number);
	if (control_kind(text, len) != CONTROL_DATA)
		return add_error(out, FAULT_CONTROL_LINE, number);
	if (lines_put(out, text, len) < 0)
		return FAULT_UNAVAILABLE;
	end = buf_ptr(out) + out->len - 1;
	for (at = end - len; (at = memchr(at, '\n', (size_t)(end - at)));)
		*at = ' ';
	return FAULT_NONE;
}

static enum fault
add_error(struct buf *out, enum fault fault, uint64_t number)
{
	struct control_error e = {.fault = fault, .line = number};

	return control_add_error(out, &e) < 0 ? FAULT_UNAVAILABLE : fault;
}
