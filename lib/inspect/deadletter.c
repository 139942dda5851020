/* Judges, shows and counts the payloads of a queue. */
#include "inspect/deadletter.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "base/lines.h"
#include "inspect/message_id.h"
#include "queue/rmq_payload.h"
#include "queue/shards.h"

enum { TIME_MAX = 40 };

static const char valid[] = "valid";

static bool is_of_payload(enum fault f);

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

bool
deadletter_is_elsewhere(
    const char *queue, unsigned shards, const struct increment *inc)
{
	char plain[QUEUE_NAME_MAX + 1];
	unsigned i;

	return shards > 1 && (!shard_parse(queue, plain, &i) ||
				 shard_of(inc->key.bytes, shards) != i);
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

	if (f == FAULT_NONE ? strcmp(code, valid) != 0 : !is_of_payload(f))
		return -1;
	*ret = f;
	return 0;
}

/* Can it be wrong with a payload?  The compiler asks for every new fault. */
static bool
is_of_payload(enum fault f)
{
	switch (f) {
	case FAULT_NOT_JSON:
	case FAULT_NOT_AN_OBJECT:
	case FAULT_MISSING_KEY:
	case FAULT_MISSING_VALUE:
	case FAULT_UNKNOWN_MEMBER:
	case FAULT_REPEATED_MEMBER:
	case FAULT_KEY_NOT_A_UUID:
	case FAULT_VALUE_NOT_AN_INTEGER:
	case FAULT_VALUE_OUT_OF_RANGE:
	case FAULT_TOO_LONG:
	case FAULT_FAULTY_HEADER:
	case FAULT_CONTROL_LINE:
	case FAULT_WRONG_SHARD: return true;
	case FAULT_NONE:
	case FAULT_NOT_TAGGED:
	case FAULT_IDEMPOTENCY_KEY_REUSED:
	case FAULT_UNAVAILABLE:
	case FAULT_UNKNOWN:
	case FAULT_COUNT: break;
	}
	return false;
}

int
deadletter_add_shown(struct buf *out, const char *raw, size_t len, size_t max)
{
	static const char more[] = "...";
	size_t n = len < max ? len : max, before = out->len;
	char *start = buf_room(out, ESCAPE_MAX * n), *to = start;

	if (start == NULL && n > 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)raw[i];

		if (c == '\\')
			*to++ = '\\';
		to += escape_byte(c, to);
	}
	buf_grow(out, (size_t)(to - start));
	if (n == len || buf_add(out, more, sizeof more - 1) == 0)
		return 0;
	out->len = before;
	return -1;
}

int
deadletter_add_entry(struct buf *out, const char *raw, size_t len, enum fault f,
    int64_t ms, size_t max, const char *queue)
{
	char digits[MESSAGE_ID_TEXT + 1], at[TIME_MAX] = "unknown";
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	uint64_t id;

	if (message_id_of(raw, len, &id) < 0)
		return -1;
	message_id_format(id, digits);
	if (ms > 0 && gmtime_r(&seconds, &tm) != NULL)
		(void)strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (buf_addf(out, "%s\t%s\t", digits, deadletter_code(f)) < 0 ||
	    deadletter_add_shown(out, raw, len, max) < 0)
		return -1;
	return queue == NULL ? buf_addf(out, "\t%s\n", at)
			     : buf_addf(out, "\t%s\t%s\n", at, queue);
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

int
deadletter_tally_add(struct deadletter_tally *t, const struct id *key,
    struct buf *scratch, const char *raw, size_t len, struct increment *ret)
{
	struct increment inc;
	enum fault fault = deadletter_judge(scratch, raw, len, &inc);
	bool counts = fault == FAULT_NONE;

	if (fault == FAULT_UNAVAILABLE)
		return -1;
	*ret = (struct increment){0};
	if (key != NULL && (!counts || !id_equal(key, &inc.key)))
		return 0;
	t->messages++;
	if (counts) {
		t->sum += (uint64_t)inc.value;
		*ret = inc;
	} else {
		t->invalid++;
	}
	return 0;
}

void
deadletter_tally_merge(
    struct deadletter_tally *t, const struct deadletter_tally *more)
{
	t->messages += more->messages;
	t->invalid += more->invalid;
	t->sum += more->sum;
}
