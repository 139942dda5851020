/* Recognises, judges and formats increments. */
#include "record/increment.h"

#include <string.h>

#include "base/lines.h"
#include "base/num.h"
#include "record/control.h"
#include "record/increment_scan.h"
#include "record/json.h"

static const char before_key[] = "{\"key\":\"";
static const char before_value[] = "\",\"value\":";

enum {
	KEY_AT = sizeof before_key - 1,
	VALUE_AT = KEY_AT + ID_TEXT + sizeof before_value - 1
};

static inline int recognise_value(const char *text, size_t len, int64_t *ret);
static enum fault check(const struct json_text *json, struct increment *ret);

/* Are key and value where they have to be? */
static inline bool
has_members(const char *text, size_t len)
{
	return len > VALUE_AT + 1 && len <= INCREMENT_TEXT &&
	       memcmp(text, before_key, KEY_AT) == 0 &&
	       memcmp(text + KEY_AT + ID_TEXT, before_value,
		   sizeof before_value - 1) == 0 &&
	       text[len - 1] == '}';
}

int
increment_recognise(const char *text, size_t len, struct increment *ret)
{
	struct increment inc;

	if (!has_members(text, len))
		return -1;
	if (recognise_value(text + VALUE_AT, len - VALUE_AT - 1, &inc.value) <
		0 ||
	    id_parse_lower(text + KEY_AT, ID_TEXT, &inc.key) < 0)
		return -1;
	*ret = inc;
	return 0;
}

bool
increment_is_canonical(const char *text, size_t len)
{
	int64_t value;

	return has_members(text, len) && id_is_lower(text + KEY_AT) &&
	       recognise_value(text + VALUE_AT, len - VALUE_AT - 1, &value) ==
		   0;
}

/* 1 to 19 digits, which can't overflow 64 bits, the first not 0. */
static inline int
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
	enum fault fault;

	if (increment_scan(text, len, &fault, ret) == 0)
		return fault;
	return increment_load(text, len, ret);
}

enum fault
increment_load(const char *text, size_t len, struct increment *ret)
{
	struct json_text json;
	enum fault fault;

	if (len > LINES_JSON_MAX)
		return FAULT_TOO_LONG;
	if (control_kind(text, len) != CONTROL_DATA)
		return FAULT_CONTROL_LINE;
	switch (json_load(text, len, &json)) {
	case JSON_LOADED: break;
	case JSON_MALFORMED: return FAULT_NOT_JSON;
	case JSON_NO_MEMORY: return FAULT_UNAVAILABLE;
	}
	fault = check(&json, ret);
	json_free(json.root);
	return fault;
}

static enum fault
check(const struct json_text *json, struct increment *ret)
{
	const struct json *key = json_member(json->root, "key");
	const struct json *value = json_member(json->root, "value");
	struct increment inc;
	const char *text;
	size_t len;

	if (json_kind(json->root) != JSON_KIND_OBJECT)
		return FAULT_NOT_AN_OBJECT;
	if (json_members(json->root) > (size_t)(key != NULL) + (value != NULL))
		return FAULT_UNKNOWN_MEMBER;
	if (json->repeated)
		return FAULT_REPEATED_MEMBER;
	if (key == NULL)
		return FAULT_MISSING_KEY;
	if (value == NULL)
		return FAULT_MISSING_VALUE;
	if (json_get_string(key, &text, &len) < 0 ||
	    id_parse(text, len, &inc.key) < 0)
		return FAULT_KEY_NOT_A_UUID;
	if (json_get_integer(value, &inc.value) < 0)
		return FAULT_VALUE_NOT_AN_INTEGER;
	/* What json_load replaced was out of range, and 0 is, too. */
	if (inc.value < 1 || json->replaced)
		return FAULT_VALUE_OUT_OF_RANGE;
	*ret = inc;
	return FAULT_NONE;
}

/* Writes all but the value and what is behind it. */
static inline void
put_key(char *to, const char *key)
{
	memcpy(to, before_key, KEY_AT);
	memcpy(to + KEY_AT, key, ID_TEXT);
	memcpy(to + KEY_AT + ID_TEXT, before_value, sizeof before_value - 1);
}

size_t
increment_format(const struct increment *inc, char ret[INCREMENT_TEXT])
{
	char id[ID_TEXT + 1], *end;

	id_format(&inc->key, id);
	put_key(ret, id);
	end = num_write(ret + VALUE_AT, (uint64_t)inc->value);
	*end++ = '}';
	return (size_t)(end - ret);
}

enum fault
increment_rewrite(
    const char *text, size_t len, char ret[INCREMENT_TEXT], size_t *ret_len)
{
	struct increment_words w;
	struct increment inc;
	enum fault fault;

	if (increment_scan_words(text, len, &fault, &w) == 0 &&
	    (fault != FAULT_NONE || w.is_lower)) {
		if (fault != FAULT_NONE)
			return fault;
		put_key(ret, w.key);
		memcpy(ret + VALUE_AT, w.digits, w.n_digits);
		ret[VALUE_AT + w.n_digits] = '}';
		*ret_len = VALUE_AT + w.n_digits + 1;
		return FAULT_NONE;
	}
	fault = increment_judge(text, len, &inc);
	if (fault == FAULT_NONE)
		*ret_len = increment_format(&inc, ret);
	return fault;
}
