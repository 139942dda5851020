#include "record/increment.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/lines.h"
#include "record/control.h"
#include "record/json.h"

static const char before_key[] = "{\"key\":\"";
static const char before_value[] = "\",\"value\":";

enum {
	KEY_AT = sizeof before_key - 1,
	VALUE_AT = KEY_AT + ID_TEXT + sizeof before_value - 1,
	VALUE_DIGITS = 19 /* of INT64_MAX */
};

static int recognise_value(const char *text, size_t len, int64_t *ret);
static enum fault load(
    const char *text, size_t len, json_t **ret, bool *ret_repeated);
static json_t *attempt(const char *text, size_t len, bool *ret_repeated,
    enum json_error_code *ret_code);
static size_t tame(const char *text, size_t len, char *ret);
static size_t tame_escape(const char *text, size_t len, char *ret);
static bool in_exponent(const char *text, size_t at);
static size_t digits(const char *text, size_t len);
static enum fault check(json_t *root, bool repeated, struct increment *ret);

int
increment_recognise(const char *text, size_t len, struct increment *ret)
{
	struct increment inc;

	if (len <= VALUE_AT + 1 || len > INCREMENT_TEXT)
		return -1;
	if (memcmp(text, before_key, KEY_AT) != 0 ||
	    memcmp(text + KEY_AT + ID_TEXT, before_value,
		sizeof before_value - 1) != 0 ||
	    text[len - 1] != '}')
		return -1;
	if (recognise_value(text + VALUE_AT, len - VALUE_AT - 1, &inc.value) <
		0 ||
	    id_parse_lower(text + KEY_AT, ID_TEXT, &inc.key) < 0)
		return -1;
	*ret = inc;
	return 0;
}

/* 1 to 19 digits, which can't overflow 64 bits, the first not 0. */
static int
recognise_value(const char *text, size_t len, int64_t *ret)
{
	uint64_t value = 0;

	if (text[0] == '0')
		return -1;
	for (size_t i = 0; i < len; i++) {
		uint64_t d = (uint64_t)(unsigned char)text[i] - '0';

		if (d > 9)
			return -1;
		value = value * 10 + d;
	}
	if (value > INT64_MAX)
		return -1;
	*ret = (int64_t)value;
	return 0;
}

enum fault
increment_parse(const char *text, size_t len, struct increment *ret)
{
	if (increment_recognise(text, len, ret) == 0)
		return FAULT_NONE;
	return increment_judge(text, len, ret);
}

enum fault
increment_judge(const char *text, size_t len, struct increment *ret)
{
	bool repeated = false;
	enum fault fault;
	json_t *root;

	if (len > LINES_JSON_MAX)
		return FAULT_TOO_LONG;
	if (control_kind(text, len) != CONTROL_DATA)
		return FAULT_CONTROL_LINE;
	fault = load(text, len, &root, &repeated);
	if (fault != FAULT_NONE)
		return fault;
	fault = check(root, repeated, ret);
	json_decref(root);
	return fault;
}

/*
 * Loads one JSON text; *ret_repeated: an object in it has a member twice.
 *
 * Numbers too large and members with \u0000 in their name are JSON that
 * jansson can't hold.  The line is no increment then; which fault it has is
 * found out by a second look without them.
 */
static enum fault
load(const char *text, size_t len, json_t **ret, bool *ret_repeated)
{
	char tamed[LINES_JSON_MAX];
	enum json_error_code code;
	json_t *root;

	/* jansson skips a NUL behind a number. */
	if (len == 0 || memchr(text, '\0', len) != NULL)
		return FAULT_NOT_JSON;
	json_watch();
	root = attempt(text, len, ret_repeated, &code);
	if (root == NULL && (code == json_error_numeric_overflow ||
				code == json_error_null_byte_in_key)) {
		len = tame(text, len, tamed);
		root = attempt(tamed, len, ret_repeated, &code);
	}
	if (json_failed()) {
		json_decref(root);
		return FAULT_UNAVAILABLE;
	}
	*ret = root;
	return root == NULL ? FAULT_NOT_JSON : FAULT_NONE;
}

/* With a member repeated, the rest must be JSON all the same. */
static json_t *
attempt(const char *text, size_t len, bool *ret_repeated,
    enum json_error_code *ret_code)
{
	size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t error;
	json_t *root;

	root = json_loadb(text, len, flags | JSON_REJECT_DUPLICATES, &error);
	if (root == NULL &&
	    json_error_code(&error) == json_error_duplicate_key) {
		*ret_repeated = true;
		root = json_loadb(text, len, flags, &error);
	}
	if (root == NULL)
		*ret_code = json_error_code(&error);
	return root;
}

/*
 * Copies text to ret (len bytes) without what jansson can't hold; what is no
 * JSON stays none:
 *
 *	99999999999999999999	0	an integer out of range still
 *	-1.5e+999		-1.5e+0	no integer still
 *	"\u0000"		"\u0001"
 *
 * What was in range may be 0 then, too: a fault found before the range, or
 * the very value, is the reason why we are here.
 */
static size_t
tame(const char *text, size_t len, char *ret)
{
	bool quoted = false;
	size_t n = 0, i = 0;

	while (i < len) {
		size_t run = quoted ? 0 : digits(text + i, len - i);

		if (quoted && text[i] == '\\') {
			run = tame_escape(text + i, len - i, ret + n);
			n += run;
			i += run;
		} else if (run > 0 &&
			   (in_exponent(text, i) ||
			       (run >= VALUE_DIGITS && text[i] != '0'))) {
			ret[n++] = '0';
			i += run;
		} else {
			quoted ^= text[i] == '"';
			ret[n++] = text[i++];
		}
	}
	return n;
}

/* Copies one escape sequence, at least its first two bytes (if there). */
static size_t
tame_escape(const char *text, size_t len, char *ret)
{
	static const char nul[] = "\\u0000";
	size_t n = sizeof nul - 1;

	if (len >= n && memcmp(text, nul, n) == 0) {
		memcpy(ret, "\\u0001", n);
		return n;
	}
	n = len < 2 ? len : 2;
	memcpy(ret, text, n);
	return n;
}

/* Do the digits at text[at] follow e, e+ or e- ? */
static bool
in_exponent(const char *text, size_t at)
{
	if (at > 0 && (text[at - 1] == '+' || text[at - 1] == '-'))
		at--;
	return at > 0 && (text[at - 1] == 'e' || text[at - 1] == 'E');
}

static size_t
digits(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

static enum fault
check(json_t *root, bool repeated, struct increment *ret)
{
	json_t *key = json_object_get(root, "key");
	json_t *value = json_object_get(root, "value");
	struct increment inc;

	if (!json_is_object(root))
		return FAULT_NOT_AN_OBJECT;
	if (json_object_size(root) > (size_t)(key != NULL) + (value != NULL))
		return FAULT_UNKNOWN_MEMBER;
	if (repeated)
		return FAULT_REPEATED_MEMBER;
	if (key == NULL)
		return FAULT_MISSING_KEY;
	if (value == NULL)
		return FAULT_MISSING_VALUE;
	if (!json_is_string(key) || id_parse(json_string_value(key),
					json_string_length(key), &inc.key) < 0)
		return FAULT_KEY_NOT_A_UUID;
	if (!json_is_integer(value))
		return FAULT_VALUE_NOT_AN_INTEGER;
	inc.value = json_integer_value(value);
	if (inc.value < 1)
		return FAULT_VALUE_OUT_OF_RANGE;
	*ret = inc;
	return FAULT_NONE;
}

size_t
increment_format(const struct increment *inc, char ret[INCREMENT_TEXT])
{
	char id[ID_TEXT + 1], number[VALUE_DIGITS];
	uint64_t left = (uint64_t)inc->value;
	size_t n = VALUE_DIGITS, len = VALUE_AT;

	id_format(&inc->key, id);
	memcpy(ret, before_key, KEY_AT);
	memcpy(ret + KEY_AT, id, ID_TEXT);
	memcpy(ret + KEY_AT + ID_TEXT, before_value, sizeof before_value - 1);
	do
		number[--n] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	memcpy(ret + len, number + n, VALUE_DIGITS - n);
	len += VALUE_DIGITS - n;
	ret[len++] = '}';
	return len;
}
