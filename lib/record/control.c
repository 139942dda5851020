/* Reads and writes checkpoints and error lines. */
#include "record/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/lines.h"
#include "base/num.h"
#include "record/json.h"

static const char checkpoint_start[] = "{\"checkpoint\":{";
static const char error_start[] = "{\"error\":{";

static bool begins(const char *line, size_t len, const char *start);
static int load(const char *line, size_t len, const char *name,
    struct json_text *ret, const struct json **ret_object);
static int read_checkpoint(
    const struct json *from, struct control_checkpoint *ret);
static int read_error(const struct json *from, struct control_error *ret);

enum control_kind
control_kind(const char *line, size_t len)
{
	if (begins(line, len, checkpoint_start))
		return CONTROL_CHECKPOINT;
	if (begins(line, len, error_start))
		return CONTROL_ERROR;
	return CONTROL_DATA;
}

static bool
begins(const char *line, size_t len, const char *start)
{
	size_t n = strlen(start);

	return len >= n && memcmp(line, start, n) == 0;
}

int
control_parse_checkpoint(
    const char *line, size_t len, struct control_checkpoint *ret)
{
	const struct json *from;
	struct json_text json;
	int result;

	errno = EINVAL;
	if (control_kind(line, len) != CONTROL_CHECKPOINT ||
	    load(line, len, "checkpoint", &json, &from) < 0)
		return -1;
	result = read_checkpoint(from, ret);
	json_free(json.root);
	return result;
}

/* The object that is the only member of the line's, called name.  0, or -1
 * with errno EINVAL or ENOMEM; *ret is to be freed. */
static int
load(const char *line, size_t len, const char *name, struct json_text *ret,
    const struct json **ret_object)
{
	struct json_text json;

	errno = EINVAL;
	if (len > LINES_JSON_MAX)
		return -1;
	switch (json_load(line, len, &json)) {
	case JSON_LOADED: break;
	case JSON_MALFORMED: return -1;
	case JSON_NO_MEMORY: errno = ENOMEM; return -1;
	}
	*ret_object = json_member(json.root, name);
	if (json.repeated || json.replaced || *ret_object == NULL ||
	    json_members(json.root) != 1) {
		json_free(json.root);
		return -1;
	}
	*ret = json;
	return 0;
}

/* Strict: no other members. */
static int
read_checkpoint(const struct json *from, struct control_checkpoint *ret)
{
	const struct json *since = json_member(from, "since");
	const struct json *end = json_member(from, "end");
	struct control_checkpoint c = {0};
	const char *queue, *consumer;
	size_t queue_len, consumer_len;
	int64_t seq, lines;

	if (json_members(from) != (size_t)6 + (since != NULL) + (end != NULL) ||
	    json_get_string(json_member(from, "queue"), &queue, &queue_len) <
		0 ||
	    json_get_string(
		json_member(from, "consumer"), &consumer, &consumer_len) < 0 ||
	    json_get_integer(json_member(from, "seq"), &seq) < 0 ||
	    json_get_integer(json_member(from, "lines"), &lines) < 0 ||
	    json_get_integer(json_member(from, "taken"), &c.taken_ms) < 0 ||
	    json_get_boolean(json_member(from, "adopted"), &c.adopted) < 0 ||
	    (since != NULL && json_get_integer(since, &c.since_ms) < 0) ||
	    (end != NULL && json_get_boolean(end, &c.end) < 0))
		return -1;
	if (seq < 0 || lines < 0 || c.taken_ms < 0 || c.since_ms < 0 ||
	    c.since_ms > c.taken_ms || !queue_name_is_valid(queue, queue_len) ||
	    id_parse(consumer, consumer_len, &c.consumer) < 0)
		return -1;
	c.seq = (uint64_t)seq;
	c.lines = (uint64_t)lines;
	memcpy(c.queue, queue, queue_len + 1);
	*ret = c;
	return 0;
}

int
control_add_checkpoint(struct buf *out, const struct control_checkpoint *c)
{
	char consumer[ID_TEXT + 1], since[32] = "";

	id_format(&c->consumer, consumer);
	if (c->since_ms > 0)
		snprintf(
		    since, sizeof since, ",\"since\":%" PRId64, c->since_ms);
	return buf_addf(out,
	    "%s\"queue\":\"%s\",\"consumer\":\"%s\",\"seq\":%" PRIu64
	    ",\"lines\":%" PRIu64 ",\"taken\":%" PRId64
	    "%s,\"adopted\":%s%s}}\n",
	    checkpoint_start, c->queue, consumer, c->seq, c->lines, c->taken_ms,
	    since, c->adopted ? "true" : "false",
	    c->end ? ",\"end\":true" : "");
}

int
control_parse_error(const char *line, size_t len, struct control_error *ret)
{
	const struct json *from;
	struct json_text json;
	int result;

	errno = EINVAL;
	if (control_kind(line, len) != CONTROL_ERROR ||
	    load(line, len, "error", &json, &from) < 0)
		return -1;
	result = read_error(from, ret);
	json_free(json.root);
	return result;
}

static int
read_error(const struct json *from, struct control_error *ret)
{
	size_t code_len, detail_len;
	const char *code, *detail;
	enum fault fault;
	int64_t line;

	if (json_members(from) != 3 ||
	    json_get_string(json_member(from, "code"), &code, &code_len) < 0 ||
	    json_get_string(json_member(from, "detail"), &detail, &detail_len) <
		0 ||
	    json_get_integer(json_member(from, "line"), &line) < 0)
		return -1;
	fault = fault_find(code, code_len);
	if (fault == FAULT_NONE || strlen(detail) != detail_len || line < 1)
		return -1;
	*ret = (struct control_error){.fault = fault, .line = (uint64_t)line};
	return 0;
}

/* Error lines up to their detail and, with the usual one, up to the number. */
#define BEFORE_DETAIL(code) "{\"error\":{\"code\":\"" code "\",\"detail\":\""
#define BEFORE_NUMBER "\",\"line\":"

static const struct {
	const char *text;
	size_t len;
} usual[FAULT_COUNT] = {
#define X(name, code, detail) \
	[FAULT_##name] = {BEFORE_DETAIL(code) detail BEFORE_NUMBER, \
	    sizeof BEFORE_DETAIL(code) detail BEFORE_NUMBER - 1},
    FAULT_LIST(X)
#undef X
};

int
control_add_error(struct buf *out, const struct control_error *e)
{
	static const char end[] = "}}\n";
	const char *start = usual[e->fault].text;
	size_t len = usual[e->fault].len;
	char *begin, *to;

	if (e->detail != NULL)
		return buf_addf(out,
		    BEFORE_DETAIL("%s") "%s" BEFORE_NUMBER "%" PRIu64 "%s",
		    fault_code(e->fault), e->detail, e->line, end);
	begin = buf_room(out, len + NUM_TEXT + sizeof end);
	if (begin == NULL)
		return -1;
	memcpy(begin, start, len);
	to = num_write(begin + len, e->line);
	memcpy(to, end, sizeof end - 1);
	buf_grow(out, (size_t)(to - begin) + sizeof end - 1);
	return 0;
}
