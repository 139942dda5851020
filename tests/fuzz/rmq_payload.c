/*
 * Any bytes as a payload: exactly one line, which reads as data with the
 * same bytes, or as the error line that was promised; never "no memory".
 */
#include "queue/rmq_payload.h"
#include "base/lines.h"
#include "fuzz.h"
#include "record/control.h"

static void
same(const char *line, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		promise(line[i] == (text[i] == '\n' ? ' ' : text[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *raw = (const char *)data, *text = NULL, *line;
	struct buf out = {0};
	struct control_error e;
	size_t text_len = 0;
	enum fault stripped = rmq_payload_strip(raw, len, &text, &text_len);
	enum fault fault = rmq_payload_add_line(&out, raw, len, 7);

	promise(fault != FAULT_UNAVAILABLE && out.len > 0);
	line = buf_ptr(&out);
	promise(memchr(line, '\n', out.len) == line + out.len - 1);
	if (stripped != FAULT_NONE)
		promise(fault == stripped && text == NULL);
	else
		promise(text + text_len == raw + len);
	if (fault == FAULT_NONE) {
		promise(control_kind(line, out.len - 1) == CONTROL_DATA);
		promise(out.len == text_len + 1 && text_len <= LINES_JSON_MAX);
		same(line, text, text_len);
	} else {
		promise(control_parse_error(line, out.len, &e) == 0);
		promise(e.fault == fault && e.line == 7);
	}
	buf_free(&out);
	return 0;
}
