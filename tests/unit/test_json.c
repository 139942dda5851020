/*
 * JSON texts as jansson loads them: what is none, what is repeated, what it
 * can't hold, each kind of value, and no memory.
 */
#include "base/lines.h"
#include "check.h"
#include "record/json.h"

#include <stdlib.h>

static const struct {
	const char *text;
	enum json_outcome outcome;
	bool repeated, replaced;
	enum json_kind kind;
} cases[] = {
    {"{}", JSON_LOADED, false, false, JSON_KIND_OBJECT},
    {" [1, \"a\"] ", JSON_LOADED, false, false, JSON_KIND_ARRAY},
    {"\"\\u0000\"", JSON_LOADED, false, false, JSON_KIND_STRING},
    {"-1.5e3", JSON_LOADED, false, false, JSON_KIND_NUMBER},
    {"true", JSON_LOADED, false, false, JSON_KIND_BOOLEAN},
    {"null", JSON_LOADED, false, false, JSON_KIND_NULL},
    {"{\"a\":1,\"a\":2}", JSON_LOADED, true, false, JSON_KIND_OBJECT},
    {"[{\"a\":1,\"a\":2}]", JSON_LOADED, true, false, JSON_KIND_ARRAY},
    {"99999999999999999999", JSON_LOADED, false, true, JSON_KIND_NUMBER},
    {"1e999", JSON_LOADED, false, true, JSON_KIND_NUMBER},
    {"{\"\\u0000\":1}", JSON_LOADED, false, true, JSON_KIND_OBJECT},
    {"{\"a\":1e999,\"a\":2}", JSON_LOADED, true, true, JSON_KIND_OBJECT},
    {"", JSON_MALFORMED, false, false, JSON_KIND_NONE},
    {"{} {}", JSON_MALFORMED, false, false, JSON_KIND_NONE},
    {"{\"a\":1,\"a\":2", JSON_MALFORMED, false, false, JSON_KIND_NONE},
    {"\"\xff\"", JSON_MALFORMED, false, false, JSON_KIND_NONE},
    {"\"\\ud800\"", JSON_MALFORMED, false, false, JSON_KIND_NONE},
    {"1e999x", JSON_MALFORMED, false, false, JSON_KIND_NONE},
};

static void
texts(void)
{
	for (size_t i = 0; i < check_n(cases); i++) {
		struct json_text t = {0};
		const char *text = cases[i].text;

		check(json_load(text, strlen(text), &t) == cases[i].outcome,
		    "%s", text);
		check(t.repeated == cases[i].repeated, "%s: repeated", text);
		check(t.replaced == cases[i].replaced, "%s: replaced", text);
		check(json_kind(t.root) == cases[i].kind, "%s: kind", text);
		json_free(t.root);
	}
}

/* jansson alone would take it. */
static void
bounds(void)
{
	static char text[2 * LINES_JSON_MAX];
	struct json_text t = {0};

	check(json_load("1\0", 2, &t) == JSON_MALFORMED, "NUL");
	memset(text, ' ', sizeof text);
	memcpy(text, "1e999", 5);
	check(json_load(text, LINES_JSON_MAX, &t) == JSON_LOADED, "fits");
	json_free(t.root);
	check(json_load(text, LINES_JSON_MAX + 1, &t) == JSON_MALFORMED,
	    "too long to replace");
	memcpy(text, "1    ", 5);
	check(json_load(text, sizeof text, &t) == JSON_LOADED, "long");
	json_free(t.root);
}

static bool
is_number(const struct json *v)
{
	return json_kind(v) == JSON_KIND_NUMBER;
}

static void
values(void)
{
	static const char text[] =
	    "{\"s\":\"a\\u0000b\",\"i\":-7,\"r\":1.0,\"b\":true,"
	    "\"n\":[1,2.5],\"m\":[1,null],\"o\":{\"x\":1,\"y\":2}}";
	struct json_text t = {0};
	const struct json *v;
	const char *string;
	bool boolean = false;
	int64_t integer;
	size_t len;

	check(json_load(text, sizeof text - 1, &t) == JSON_LOADED, "load");
	v = t.root;
	check(json_members(v) == 7, "%zu", json_members(v));
	check(json_member(v, "none") == NULL, "none");
	check(json_get_string(json_member(v, "s"), &string, &len) == 0 &&
		  len == 3 && memcmp(string, "a\0b", 4) == 0,
	    "string");
	check(json_get_string(json_member(v, "i"), &string, &len) < 0, "none");
	check(json_get_integer(json_member(v, "i"), &integer) == 0 &&
		  integer == -7,
	    "integer");
	check(json_get_integer(json_member(v, "r"), &integer) < 0, "fraction");
	check(json_get_boolean(json_member(v, "b"), &boolean) == 0 && boolean,
	    "boolean");
	check(json_get_boolean(json_member(v, "i"), &boolean) < 0, "none");
	check(json_every(json_member(v, "n"), is_number), "numbers");
	check(!json_every(json_member(v, "m"), is_number), "and null");
	check(json_every(json_member(v, "o"), is_number), "members");
	check(!json_every(v, is_number), "some are none");
	check(!json_every(json_member(v, "i"), is_number), "no elements");
	check(!json_every(NULL, is_number) && json_members(NULL) == 0 &&
		  json_member(NULL, "a") == NULL,
	    "of none");
	json_free(t.root);
	json_free(NULL);
}

int
main(void)
{
	texts();
	bounds();
	values();
	return check_end();
}
