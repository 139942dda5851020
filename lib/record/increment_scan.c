/* Judges plain lines without a JSON library. */
#include "record/increment_scan.h"

#include <stdbool.h>
#include <string.h>

#include "base/lines.h"

enum { DIGITS_MAX = 19 /* of INT64_MAX; they can't overflow 64 bits */ };

/* What is left of the text; it never begins with white space. */
struct scan {
	const char *at, *end;
};

struct members {
	size_t keys, values, others; /* how many there are of each */
	bool key_is_id, value_is_integer;
	struct increment inc; /* value: 0 if it is out of range */
};

static bool take_members(struct scan *s, struct members *m);
static bool take_member(struct scan *s, struct members *m);
static bool take_key(struct scan *s, struct members *m);
static bool take_value(struct scan *s, struct members *m);
static bool take_any(struct scan *s);
static bool take_string(struct scan *s);
static bool take_integer(struct scan *s, int64_t *ret);
static enum fault judge(const struct members *m);

int
increment_scan(
    const char *text, size_t len, enum fault *ret_fault, struct increment *ret)
{
	struct scan s = {text, text + len};
	struct members m = {0};

	if (len > LINES_JSON_MAX || !take_members(&s, &m))
		return -1;
	*ret_fault = judge(&m);
	if (*ret_fault == FAULT_NONE)
		*ret = m.inc;
	return 0;
}

/* Takes n bytes and the white space behind them. */
static inline void
skip(struct scan *s, size_t n)
{
	s->at += n;
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' ||
				     *s->at == '\r' || *s->at == '\n'))
		s->at++;
}

static inline bool
take(struct scan *s, const char *token, size_t len)
{
	if ((size_t)(s->end - s->at) < len || memcmp(s->at, token, len) != 0)
		return false;
	skip(s, len);
	return true;
}

#define TAKE(s, token) take(s, token, sizeof token - 1)

/* The whole text is an object. */
static bool
take_members(struct scan *s, struct members *m)
{
	skip(s, 0);
	if (!TAKE(s, "{"))
		return false;
	if (!TAKE(s, "}")) {
		do
			if (!take_member(s, m))
				return false;
		while (TAKE(s, ","));
		if (!TAKE(s, "}"))
			return false;
	}
	return s->at == s->end;
}

static bool
take_member(struct scan *s, struct members *m)
{
	if (TAKE(s, "\"key\"")) {
		m->keys++;
		return TAKE(s, ":") && take_key(s, m);
	}
	if (TAKE(s, "\"value\"")) {
		m->values++;
		return TAKE(s, ":") && take_value(s, m);
	}
	m->others++;
	return take_string(s) && TAKE(s, ":") && take_any(s);
}

static bool
take_key(struct scan *s, struct members *m)
{
	enum { QUOTED = ID_TEXT + 2 };

	m->key_is_id = s->end - s->at >= QUOTED && s->at[0] == '"' &&
		       s->at[QUOTED - 1] == '"' &&
		       id_parse(s->at + 1, ID_TEXT, &m->inc.key) == 0;
	if (!m->key_is_id)
		return take_any(s);
	skip(s, QUOTED);
	return true;
}

static bool
take_value(struct scan *s, struct members *m)
{
	m->value_is_integer = take_integer(s, &m->inc.value);
	return m->value_is_integer || take_any(s);
}

static bool
take_any(struct scan *s)
{
	int64_t value;

	return take_string(s) || take_integer(s, &value) || TAKE(s, "true") ||
	       TAKE(s, "false") || TAKE(s, "null");
}

static bool
take_string(struct scan *s)
{
	const char *p = s->at;

	if (p == s->end || *p != '"')
		return false;
	do
		p++;
	while (p < s->end && *p >= ' ' && *p <= '~' && *p != '"' && *p != '\\');
	if (p == s->end || *p != '"')
		return false;
	skip(s, (size_t)(p + 1 - s->at));
	return true;
}

/* What stands behind the digits (another one, a point, an exponent) is nothing
 * that the caller takes. */
static bool
take_integer(struct scan *s, int64_t *ret)
{
	bool negative = s->at < s->end && *s->at == '-';
	const char *from = s->at + negative, *p = from;
	uint64_t value = 0;

	for (; p < s->end && p < from + DIGITS_MAX; p++) {
		uint64_t d = (uint64_t)(unsigned char)*p - '0';

		if (d > 9)
			break;
		value = value * 10 + d;
		if (value == 0) {
			p++;
			break;
		}
	}
	if (p == from)
		return false;
	skip(s, (size_t)(p - s->at));
	*ret = negative || value > INT64_MAX ? 0 : (int64_t)value;
	return true;
}

/* In the order of increment.h. */
static enum fault
judge(const struct members *m)
{
	if (m->others > 0)
		return FAULT_UNKNOWN_MEMBER;
	if (m->keys > 1 || m->values > 1)
		return FAULT_REPEATED_MEMBER;
	if (m->keys == 0)
		return FAULT_MISSING_KEY;
	if (m->values == 0)
		return FAULT_MISSING_VALUE;
	if (!m->key_is_id)
		return FAULT_KEY_NOT_A_UUID;
	if (!m->value_is_integer)
		return FAULT_VALUE_NOT_AN_INTEGER;
	return m->inc.value == 0 ? FAULT_VALUE_OUT_OF_RANGE : FAULT_NONE;
}
