/* Loads JSON texts with jansson, whose only user this is. */
#include "record/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"

enum { INT64_DIGITS = 19 };

static bool out_of_memory; /* jansson has asked in vain */

static json_t *attempt(const char *text, size_t len, bool *ret_repeated,
    enum json_error_code *ret_code);
static void *allocate(size_t n);
static size_t replace(const char *text, size_t len, char *ret);
static size_t replace_escape(const char *text, size_t len, char *ret);
static bool in_exponent(const char *text, size_t at);
static size_t digits(const char *text, size_t len);

enum json_outcome
json_load(const char *text, size_t len, struct json_text *ret)
{
	struct json_text found = {0};
	char replaced[LINES_JSON_MAX];
	enum json_error_code code;
	json_t *root;

	/* jansson skips a NUL behind a number. */
	if (len == 0 || memchr(text, '\0', len) != NULL)
		return JSON_MALFORMED;
	out_of_memory = false;
	json_set_alloc_funcs(allocate, free);
	root = attempt(text, len, &found.repeated, &code);
	if (root == NULL && len <= sizeof replaced &&
	    (code == json_error_numeric_overflow ||
		code == json_error_null_byte_in_key)) {
		found.replaced = true;
		len = replace(text, len, replaced);
		root = attempt(replaced, len, &found.repeated, &code);
	}
	if (out_of_memory) {
		json_decref(root);
		return JSON_NO_MEMORY;
	}
	if (root == NULL)
		return JSON_MALFORMED;
	found.root = (struct json *)root;
	*ret = found;
	return JSON_LOADED;
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

static void *
allocate(size_t n)
{
	void *p = malloc(n);

	if (p == NULL)
		out_of_memory = true;
	return p;
}

/*
 * Copies text to ret (len bytes) without what jansson can't hold; what is no
 * JSON stays none:
 *
 *	99999999999999999999	0	an integer out of range still
 *	-1.5e+999		-1.5e+0	no integer still
 *	"\u0000"		"\u0001"
 *
 * An integer of 19 digits that was in range is 0 then, too: json_load says
 * that something was replaced.
 */
static size_t
replace(const char *text, size_t len, char *ret)
{
	bool quoted = false;
	size_t n = 0, i = 0;

	while (i < len) {
		size_t run = quoted ? 0 : digits(text + i, len - i);

		if (quoted && text[i] == '\\') {
			run = replace_escape(text + i, len - i, ret + n);
			n += run;
			i += run;
		} else if (run > 0 &&
			   (in_exponent(text, i) ||
			       (run >= INT64_DIGITS && text[i] != '0'))) {
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
replace_escape(const char *text, size_t len, char *ret)
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

void
json_free(struct json *root)
{
	json_decref((json_t *)root);
}

enum json_kind
json_kind(const struct json *v)
{
	if (v == NULL)
		return JSON_KIND_NONE;
	switch (json_typeof((const json_t *)v)) {
	case JSON_OBJECT: return JSON_KIND_OBJECT;
	case JSON_ARRAY: return JSON_KIND_ARRAY;
	case JSON_STRING: return JSON_KIND_STRING;
	case JSON_INTEGER:
	case JSON_REAL: return JSON_KIND_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE: return JSON_KIND_BOOLEAN;
	case JSON_NULL: return JSON_KIND_NULL;
	}
	return JSON_KIND_NONE;
}

const struct json *
json_member(const struct json *v, const char *name)
{
	return (const struct json *)json_object_get((const json_t *)v, name);
}

size_t
json_members(const struct json *v)
{
	return json_object_size((const json_t *)v);
}

bool
json_every(const struct json *v, bool (*holds)(const struct json *))
{
	json_t *of = (json_t *)(uintptr_t)v; /* iterators want it so */
	void *member = json_object_iter(of);

	if (!json_is_object(of) && !json_is_array(of))
		return false;
	for (; member != NULL; member = json_object_iter_next(of, member))
		if (!holds((struct json *)json_object_iter_value(member)))
			return false;
	for (size_t i = 0; i < json_array_size(of); i++)
		if (!holds((struct json *)json_array_get(of, i)))
			return false;
	return true;
}

int
json_get_string(const struct json *v, const char **ret, size_t *ret_len)
{
	if (!json_is_string((const json_t *)v))
		return -1;
	*ret = json_string_value((const json_t *)v);
	*ret_len = json_string_length((const json_t *)v);
	return 0;
}

int
json_get_integer(const struct json *v, int64_t *ret)
{
	if (!json_is_integer((const json_t *)v))
		return -1;
	*ret = json_integer_value((const json_t *)v);
	return 0;
}

int
json_get_boolean(const struct json *v, bool *ret)
{
	if (!json_is_boolean((const json_t *)v))
		return -1;
	*ret = json_is_true((const json_t *)v);
	return 0;
}
