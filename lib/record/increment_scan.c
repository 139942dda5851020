/* Judges plain lines without a JSON library. */
#include "record/increment_scan.h"

#include <stdbool.h>
#include <string.h>

#include "base/lines.h"

enum { DIGITS_MAX = 19 /* of INT64_MAX; they can't overflow 64 bits */ };

struct members {
	size_t keys, values, others; /* how many there are of each */
	bool key_is_id, value_is_integer;
	struct increment_words words; /* value: 0 if it is out of range */
};

static bool take_members(const char *at, const char *end, struct members *m);
static const char *take_member(
    const char *at, const char *end, struct members *m);
static const char *take_key(const char *at, const char *end, struct members *m);
static const char *take_value(
    const char *at, const char *end, struct members *m);
static const char *take_any(const char *at, const char *end);
static const char *take_string(const char *at, const char *end);
static const char *take_integer(
    const char *at, const char *end, struct increment_words *ret);
static enum fault judge(const struct members *m);

int
increment_scan(
    const char *text, size_t len, enum fault *ret_fault, struct increment *ret)
{
	struct increment_words words;

	if (increment_scan_words(text, len, ret_fault, &words) < 0)
		return -1;
	if (*ret_fault != FAULT_NONE)
		return 0;
	ret->value = words.value;
	return id_parse(words.key, ID_TEXT, &ret->key);
}

int
increment_scan_words(const char *text, size_t len, enum fault *ret_fault,
    struct increment_words *ret)
{
	struct members m = {0};

	if (len > LINES_JSON_MAX || !take_members(text, text + len, &m))
		return -1;
	*ret_fault = judge(&m);
	if (*ret_fault == FAULT_NONE)
		*ret = m.words;
	return 0;
}

/*
 * What is left of the text is from at to end, and never begins with white
 * space.  Each function takes what it is named for, with the white space behind
 * it, and returns where the rest begins; NULL if the text is another one.
 */
static inline const char *
skip(const char *at, const char *end)
{
	while (at < end && *at <= ' ' &&
	       (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
		at++;
	return at;
}

static inline const char *
take(const char *at, const char *end, const char *token, size_t len)
{
	if ((size_t)(end - at) < len || memcmp(at, token, len) != 0)
		return NULL;
	return skip(at + len, end);
}

#define TAKE(at, end, token) take(at, end, token, sizeof token - 1)

/* The whole text is an object. */
static bool
take_members(const char *at, const char *end, struct members *m)
{
	const char *rest;

	at = TAKE(skip(at, end), end, "{");
	if (at == NULL)
		return false;
	rest = TAKE(at, end, "}");
	if (rest != NULL)
		return rest == end;
	for (;;) {
		at = take_member(at, end, m);
		if (at == NULL)
			return false;
		rest = TAKE(at, end, ",");
		if (rest == NULL)
			return TAKE(at, end, "}") == end;
		at = rest;
	}
}

static inline const char *
take_member(const char *at, const char *end, struct members *m)
{
	const char *rest;

	if ((rest = TAKE(at, end, "\"key\"")) != NULL) {
		m->keys++;
		rest = TAKE(rest, end, ":");
		return rest == NULL ? NULL : take_key(rest, end, m);
	}
	if ((rest = TAKE(at, end, "\"value\"")) != NULL) {
		m->values++;
		rest = TAKE(rest, end, ":");
		return rest == NULL ? NULL : take_value(rest, end, m);
	}
	m->others++;
	if ((rest = take_string(at, end)) == NULL ||
	    (rest = TAKE(rest, end, ":")) == NULL)
		return NULL;
	return take_any(rest, end);
}

static inline bool
take_id(const char *text, struct increment_words *w)
{
	struct id id;

	w->key = text;
	w->is_lower = id_is_lower(text);
	return w->is_lower || id_parse(text, ID_TEXT, &id) == 0;
}

static inline const char *
take_key(const char *at, const char *end, struct members *m)
{
	enum { QUOTED = ID_TEXT + 2 };

	m->key_is_id = end - at >= QUOTED && at[0] == '"' &&
		       at[QUOTED - 1] == '"' && take_id(at + 1, &m->words);
	return m->key_is_id ? skip(at + QUOTED, end) : take_any(at, end);
}

static inline const char *
take_value(const char *at, const char *end, struct members *m)
{
	const char *rest = take_integer(at, end, &m->words);

	m->value_is_integer = rest != NULL;
	return rest != NULL ? rest : take_any(at, end);
}

static const char *
take_any(const char *at, const char *end)
{
	struct increment_words other;
	const char *rest;

	if ((rest = take_string(at, end)) != NULL ||
	    (rest = take_integer(at, end, &other)) != NULL ||
	    (rest = TAKE(at, end, "true")) != NULL ||
	    (rest = TAKE(at, end, "false")) != NULL)
		return rest;
	return TAKE(at, end, "null");
}

static const char *
take_string(const char *at, const char *end)
{
	if (at == end || *at != '"')
		return NULL;
	do
		at++;
	while (
	    at < end && *at >= ' ' && *at <= '~' && *at != '"' && *at != '\\');
	return at == end || *at != '"' ? NULL : skip(at + 1, end);
}

/* What stands behind the digits (another one, a point, an exponent) is nothing
 * that the caller takes. */
static inline const char *
take_integer(const char *at, const char *end, struct increment_words *ret)
{
	bool negative = at < end && *at == '-';
	const char *from = at + negative, *p = from;
	uint64_t value = 0, d;

	while (p < end && p < from + DIGITS_MAX &&
	       (d = (uint64_t)(unsigned char)*p - '0') <= 9) {
		value = value * 10 + d;
		p++;
		if (value == 0)
			break;
	}
	if (p == from)
		return NULL;
	ret->digits = from;
	ret->n_digits = (size_t)(p - from);
	ret->value = negative || value > INT64_MAX ? 0 : (int64_t)value;
	return skip(p, end);
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
	return m->words.value == 0 ? FAULT_VALUE_OUT_OF_RANGE : FAULT_NONE;
}
