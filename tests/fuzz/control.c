/*
 * Any bytes as a control line: what is parsed is formatted to a line that is
 * parsed to the same; kinds and parsers agree; a tag is split where it ends.
 */
#include "record/control.h"
#include "base/lines.h"
#include "fuzz.h"

static void
checkpoint(const char *line, size_t len)
{
	struct control_checkpoint c, again;
	struct buf out = {0};

	if (control_parse_checkpoint(line, len, &c) < 0)
		return;
	promise(control_kind(line, len) == CONTROL_CHECKPOINT);
	promise(
	    queue_name_is_valid(c.queue, strlen(c.queue)) && c.taken_ms >= 0);
	promise(control_add_checkpoint(&out, &c) == 0);
	promise(out.len <= LINES_JSON_MAX);
	promise(control_parse_checkpoint(buf_ptr(&out), out.len, &again) == 0);
	promise(strcmp(c.queue, again.queue) == 0 &&
		id_equal(&c.consumer, &again.consumer) && c.seq == again.seq &&
		c.lines == again.lines && c.taken_ms == again.taken_ms &&
		c.since_ms == again.since_ms && c.since_ms <= c.taken_ms &&
		c.adopted == again.adopted && c.end == again.end);
	buf_free(&out);
}

static void
error(const char *line, size_t len)
{
	struct control_error e, again;
	struct buf out = {0};

	if (control_parse_error(line, len, &e) < 0)
		return;
	promise(control_kind(line, len) == CONTROL_ERROR);
	promise(e.fault > FAULT_NONE && e.fault < FAULT_COUNT && e.line > 0);
	promise(control_add_error(&out, &e) == 0);
	promise(control_parse_error(buf_ptr(&out), out.len, &again) == 0);
	promise(again.fault == e.fault && again.line == e.line);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *line = (const char *)data;
	size_t tag_len;

	checkpoint(line, len);
	error(line, len);
	if (lines_split_tag(line, len, &tag_len) == 0)
		promise(tag_len <= LINES_TAG_MAX && tag_len < len &&
			line[tag_len] == '\t');
	return 0;
}
