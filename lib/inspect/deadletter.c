#include "inspect/deadletter.h"

#include <string.h>

#include "base/hex.h"
#include "base/lines.h"
#include "queue/rmq_payload.h"

static const char valid[] = "valid";

enum fault
deadletter_judge(
    struct buf *scratch, const char *raw, size_t len, struct increment *ret)
{
	enum fault fault;

	buf_clear(scratch);
	fault = rmq_payload_add_line(scratch, raw, len, 1);
	if (fault != FAULT_NONE)
		return fault;
	return increment_parse(buf_ptr(scratch), scratch->len - 1, ret);
}

const char *
deadletter_code(enum fault f)
{
	return f == FAULT_NONE ? valid : fault_code(f);
}

int
deadletter_find(const char *code, enum fault *ret)
{
	enum fault f = fault_find(code, strlen(code));

	if ((f == FAULT_NONE && strcmp(code, valid) != 0) ||
	    f == FAULT_NOT_TAGGED || f >= FAULT_IDEMPOTENCY_KEY_REUSED)
		return -1;
	*ret = f;
	return 0;
}

int
deadletter_add_shown(struct buf *out, const char *raw, size_t len, size_t max)
{
	static const char more[] = "...";
	size_t n = len < max ? len : max, before = out->len;
	char *start = buf_room(out, 4 * n), *to = start;

	if (start == NULL && n > 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)raw[i];

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			*to++ = (char)c;
			continue;
		}
		*to++ = '\\';
		*to++ = c == '\\' ? '\\' : 'x';
		if (c != '\\')
			to = hex_write(to, &c, 1);
	}
	buf_grow(out, (size_t)(to - start));
	if (n == len || buf_add(out, more, sizeof more - 1) == 0)
		return 0;
	out->len = before;
	return -1;
}

int
deadletter_add_line(struct buf *out, const char *raw, size_t len)
{
	enum fault fault = rmq_payload_strip(raw, len, &raw, &len);
	char *at, *end;

	if (fault == FAULT_UNAVAILABLE || lines_put(out, raw, len) < 0)
		return -1;
	end = buf_ptr(out) + out->len - 1;
	for (at = end - len; (at = memchr(at, '\n', (size_t)(end - at)));)
		*at = ' ';
	return 0;
}
