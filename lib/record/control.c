#include "record/control.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/lines.h"
#include "base/options.h"
#include "record/json.h"

static const char checkpoint_start[] = "{\"checkpoint\":{";
static const char error_start[] = "{\"error\":{";

static bool begins(const char *line, size_t len, const char *start);
static json_t *load(const char *line, size_t len);
static int unpack_checkpoint(json_t *root, struct control_checkpoint *ret);

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
	struct control_checkpoint c;
	json_t *root;
	int result;

	errno = EINVAL;
	if (control_kind(line, len) != CONTROL_CHECKPOINT)
		return -1;
	root = load(line, len);
	result = root == NULL ? -1 : unpack_checkpoint(root, &c);
	json_decref(root);
	if (result == 0)
		*ret = c;
	return result;
}

static json_t *
load(const char *line, size_t len)
{
	json_error_t error;
	json_t *root;

	/* jansson skips a NUL behind a number. */
	if (len > LINES_JSON_MAX || memchr(line, '\0', len) != NULL)
		return NULL;
	json_watch();
	root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!json_failed())
		return root;
	json_decref(root);
	errno = ENOMEM;
	return NULL;
}

static int
unpack_checkpoint(json_t *root, struct control_checkpoint *ret)
{
	const char *queue, *consumer;
	size_t queue_len, consumer_len;
	json_int_t seq, lines, taken, since = 0;
	int adopted, end = 0;

	/* Strict (!): no other members at either level. */
	if (json_unpack_ex(root, NULL, 0,
		"{s:{s:s%,s:s%,s:I,s:I,s:I,s?I,s:b,s?b!}!}", "checkpoint",
		"queue", &queue, &queue_len, "consumer", &consumer,
		&consumer_len, "seq", &seq, "lines", &lines, "taken", &taken,
		"since", &since, "adopted", &adopted, "end", &end) < 0)
		return -1;
	*ret = (struct control_checkpoint){.seq = (uint64_t)seq,
	    .lines = (uint64_t)lines,
	    .taken_ms = taken,
	    .since_ms = since,
	    .adopted = adopted,
	    .end = end};
	if (seq < 0 || lines < 0 || taken < 0 || since < 0 || since > taken ||
	    queue_len > CONTROL_QUEUE_MAX || options_check_name(queue) < 0 ||
	    id_parse(consumer, consumer_len, &ret->consumer) < 0)
		return -1;
	memcpy(ret->queue, queue, queue_len + 1);
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
	const char *code, *detail;
	enum fault fault = FAULT_NONE;
	json_int_t number = 0;
	json_t *root;

	errno = EINVAL;
	if (control_kind(line, len) != CONTROL_ERROR)
		return -1;
	root = load(line, len);
	if (root != NULL &&
	    json_unpack_ex(root, NULL, 0, "{s:{s:s,s:s,s:I!}!}", "error",
		"code", &code, "detail", &detail, "line", &number) == 0)
		fault = fault_find(code, strlen(code));
	json_decref(root);
	if (fault == FAULT_NONE || number < 1)
		return -1;
	*ret = (struct control_error){fault, (uint64_t)number};
	return 0;
}

int
control_add_error(struct buf *out, const struct control_error *e)
{
	return buf_addf(out,
	    "%s\"code\":\"%s\",\"detail\":\"%s\",\"line\":%" PRIu64 "}}\n",
	    error_start, fault_code(e->fault), fault_detail(e->fault), e->line);
}
