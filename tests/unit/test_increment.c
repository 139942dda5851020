/*
 * One increment: what each kind of line is, and that the recogniser and
 * jansson, two ways to one truth, never differ.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/lines.h"
#include "check.h"
#include "increments.h"

#define HUGE20 "99999999999999999999"

static const struct increment_case cases[] = {
    /* canonical */
    {"{\"key\":\"" K "\",\"value\":3}", 0, 3},
    {"{\"key\":\"" K "\",\"value\":" MAX "}", 0, INT64_MAX},
    {"{\"key\":\"00000000-0000-0000-0000-000000000000\",\"value\":1}", 0, 1},
    {"{\"key\":\"ffffffff-ffff-ffff-ffff-ffffffffffff\",\"value\":1}", 0, 1},
    /* an increment all the same */
    {"{\"value\":3,\"key\":\"" K "\"}", 0, 3},
    {"{\"key\":\"" KU "\",\"value\":3}", 0, 3},
    {" \t{ \"key\" : \"" K "\" ,\r\"value\" : 3 } \r", 0, 3},
    {"{\"\\u006bey\":\"" K "\",\"v\\u0061lue\":3}", 0, 3},
    {"{\"key\":\"\\u0036f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11\",\"value\":7}", 0,
	7},
    /* not JSON */
    {"", FAULT_NOT_JSON, 0},
    {" \t\r", FAULT_NOT_JSON, 0},
    {"x", FAULT_NOT_JSON, 0},
    {"{", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":3", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":3}}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":3} x", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":3}{}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":3,}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":03}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":+3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":0x3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":NaN}", FAULT_NOT_JSON, 0},
    {"{'key':'" K "','value':3}", FAULT_NOT_JSON, 0},
    {"{key:\"" K "\",value:3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\t\",\"value\":3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":3}\v", FAULT_NOT_JSON, 0},
    {"\xef\xbb\xbf{\"key\":\"" K "\",\"value\":3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"\xff\",\"value\":3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"\xc0\xaf\",\"value\":3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"\xed\xa0\x80\",\"value\":3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"\xf4\x90\x80\x80\",\"value\":3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"\\ud800\",\"value\":3}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"\\x\",\"value\":3}", FAULT_NOT_JSON, 0},
    /* no object */
    {"3", FAULT_NOT_AN_OBJECT, 0},
    {HUGE20, FAULT_NOT_AN_OBJECT, 0},
    {"1e999", FAULT_NOT_AN_OBJECT, 0},
    {"null", FAULT_NOT_AN_OBJECT, 0},
    {"\"key\"", FAULT_NOT_AN_OBJECT, 0},
    {"[]", FAULT_NOT_AN_OBJECT, 0},
    {"[{\"key\":\"" K "\",\"value\":3}]", FAULT_NOT_AN_OBJECT, 0},
    {"[{\"a\":1,\"a\":1}]", FAULT_NOT_AN_OBJECT, 0},
    /* members */
    {"{}", FAULT_MISSING_KEY, 0},
    {"{\"value\":3}", FAULT_MISSING_KEY, 0},
    {"{\"value\":\"x\"}", FAULT_MISSING_KEY, 0},
    {"{\"key\":\"" K "\"}", FAULT_MISSING_VALUE, 0},
    {"{\"key\":5}", FAULT_MISSING_VALUE, 0},
    {"{\"Key\":\"" K "\",\"value\":3}", FAULT_UNKNOWN_MEMBER, 0},
    {"{\"key\":\"" K "\",\"value\":3,\"x\":1}", FAULT_UNKNOWN_MEMBER, 0},
    {"{\"key\":\"" K "\",\"value\":3,\"\":1}", FAULT_UNKNOWN_MEMBER, 0},
    {"{\"key\":\"" K "\",\"value\":3,\"x\":1,\"x\":1}", FAULT_UNKNOWN_MEMBER,
	0},
    {"{\"key\":\"" K "\",\"value\":3,\"x\":" HUGE20 "}", FAULT_UNKNOWN_MEMBER,
	0},
    {"{\"key\":\"" K "\",\"value\":3,\"x\":1e999}", FAULT_UNKNOWN_MEMBER, 0},
    {"{\"key\":\"" K "\",\"value\":3,\"\\u0000\":1}", FAULT_UNKNOWN_MEMBER, 0},
    {"{\"key\\u0000\":\"" K "\",\"value\":3}", FAULT_UNKNOWN_MEMBER, 0},
    {"{\"key\":\"" K "\",\"value\":3,\"\\u0000\":1", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":3,\"value\":3}", FAULT_REPEATED_MEMBER, 0},
    {"{\"key\":\"" K "\",\"key\":\"" K "\"}", FAULT_REPEATED_MEMBER, 0},
    {"{\"key\":\"" K "\",\"k\\u0065y\":\"" K "\",\"value\":3}",
	FAULT_REPEATED_MEMBER, 0},
    {"{\"key\":\"" K "\",\"value\":3,\"value\":3", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":3,\"value\":" HUGE20 "}",
	FAULT_REPEATED_MEMBER, 0},
    {"{\"value\":" HUGE20 ",\"key\":\"" K "\",\"value\":3}",
	FAULT_REPEATED_MEMBER, 0},
    {"{\"key\":\"" K "\",\"value\":{\"a\":1,\"a\":1}}", FAULT_REPEATED_MEMBER,
	0},
    /* key */
    {"{\"key\":5,\"value\":3}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":null,\"value\":0}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"\",\"value\":3}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"x\",\"value\":\"x\"}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"{" K "}\",\"value\":3}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\" " K "\",\"value\":3}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"" K "\\u0000\",\"value\":3}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"" K "1\",\"value\":3}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"6f1b3c1e7a4f4f609a532b0f0f3a9a11\",\"value\":3}",
	FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"6f1b3c1e-7a4f-4f60-9a532-b0f0f3a9a11\",\"value\":3}",
	FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"6f1b3c1g-7a4f-4f60-9a53-2b0f0f3a9a11\",\"value\":3}",
	FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":" HUGE20 ",\"value\":" MAX "}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":{\"\\u0000\":1},\"value\":" MAX "}", FAULT_KEY_NOT_A_UUID, 0},
    /* value */
    {"{\"key\":\"" K "\",\"value\":\"3\"}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":true}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":null}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":[3]}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":{}}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":1.0}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":1e0}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":1E2}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":-0.0}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":1e999}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":-1e+999}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":" HUGE20 ".5}", FAULT_VALUE_NOT_AN_INTEGER,
	0},
    {"{\"key\":\"" K "\",\"value\":" HUGE20 "E999}", FAULT_VALUE_NOT_AN_INTEGER,
	0},
    {"{\"key\":\"" K "\",\"value\":[" HUGE20 "]}", FAULT_VALUE_NOT_AN_INTEGER,
	0},
    {"{\"key\":\"" K "\",\"value\":0}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":-0}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":-1}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":" OVER "}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":-" OVER "}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":" HUGE20 "}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":-" HUGE20 "}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":18446744073709551617}",
	FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":" HUGE20 "} x", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\",\"value\":0" HUGE20 "}", FAULT_NOT_JSON, 0},
    {"{\"key\":\"" K "\\\\u0000\",\"value\":" HUGE20 "}", FAULT_KEY_NOT_A_UUID,
	0},
    /* control lines */
    {"{\"checkpoint\":{}}", FAULT_CONTROL_LINE, 0},
    {"{\"error\":{", FAULT_CONTROL_LINE, 0},
    {" {\"error\":{}}", FAULT_UNKNOWN_MEMBER, 0},
    {"{\"error\": {}}", FAULT_UNKNOWN_MEMBER, 0},
};

/* One line against the table, and the two ways against each other. */
static void
judge(const char *text, size_t len, enum fault fault, int64_t value)
{
	struct increment parsed, judged, seen = {0};
	struct id key;
	enum fault by_parse = increment_parse(text, len, &parsed);
	enum fault by_judge = increment_judge(text, len, &judged);
	enum fault by_load = increment_load(text, len, &judged);

	check(by_parse == fault, "%s: %s instead of %s", text,
	    fault_code(by_parse), fault_code(fault));
	check(by_judge == fault, "%s: %s instead of %s", text,
	    fault_code(by_judge), fault_code(fault));
	check(by_load == fault, "%s: %s instead of %s", text,
	    fault_code(by_load), fault_code(fault));
	if (increment_recognise(text, len, &seen) == 0)
		check(by_judge == FAULT_NONE && seen.value == judged.value &&
			  id_equal(&seen.key, &judged.key),
		    "%s: recognised as something else", text);
	if (fault != FAULT_NONE || by_parse != FAULT_NONE)
		return;
	check(parsed.value == value, "%s", text);
	id_parse(strstr(text, "ffff") ? "ffffffff-ffff-ffff-ffff-ffffffffffff"
		 : strstr(text, "0000-0000") ? "00000000-0000-0000-0000-"
					       "000000000000"
					     : K,
	    ID_TEXT, &key);
	check(id_equal(&parsed.key, &key), "%s", text);
}

/* What is formatted is recognised, and is the same increment. */
static void
formats(void)
{
	static const int64_t values[] = {1, 9, 10, 99, 1000000007,
	    999999999999999999, 1000000000000000000, INT64_MAX};

	for (size_t i = 0; i < check_n(values); i++) {
		struct increment inc = {.value = values[i]}, again;
		char text[INCREMENT_TEXT];
		size_t len;

		id_make(&inc.key);
		len = increment_format(&inc, text);
		check(len <= INCREMENT_TEXT, "%zu bytes", len);
		check(increment_recognise(text, len, &again) == 0, "%.*s",
		    (int)len, text);
		check(
		    again.value == inc.value && id_equal(&again.key, &inc.key),
		    "%.*s", (int)len, text);
	}
}

/* Every single byte changed: never recognised as what jansson refuses. */
static void
mutates(void)
{
	static const char canonical[] =
	    "{\"key\":\"" K "\",\"value\":9223372036854775807}";
	char text[sizeof canonical];
	size_t recognised = 0;

	for (size_t at = 0; at < sizeof canonical - 1; at++)
		for (int c = 0; c < 256; c++) {
			struct increment seen, judged;

			memcpy(text, canonical, sizeof text);
			text[at] = (char)c;
			check(increment_is_canonical(text, sizeof text - 1) ==
				  (increment_recognise(
				       text, sizeof text - 1, &seen) == 0),
			    "%s", text);
			if (increment_recognise(text, sizeof text - 1, &seen) <
			    0)
				continue;
			recognised++;
			check(increment_load(text, sizeof text - 1, &judged) ==
				      FAULT_NONE &&
				  judged.value == seen.value &&
				  id_equal(&judged.key, &seen.key),
			    "%s", text);
		}
	check(recognised > 32 * 16, "only %zu", recognised);
	for (size_t len = 0; len < sizeof canonical - 1; len++) {
		struct increment seen;

		check(increment_recognise(canonical, len, &seen) < 0 &&
			  !increment_is_canonical(canonical, len),
		    "the first %zu bytes", len);
	}
}

/* Lengths, depth and NUL bytes, which the table can't hold. */
static void
bounds(void)
{
	static const char inc[] = "{\"key\":\"" K "\",\"value\":3}";
	static const char nul[] = "{\"key\":\"" K "\",\"value\":3\0}";
	static const char nul_end[] = "{\"key\":\"" K "\",\"value\":3}\0";
	char text[LINES_JSON_MAX + 2];
	size_t half = LINES_JSON_MAX / 2;

	memset(text, ' ', sizeof text);
	text[LINES_JSON_MAX + 1] = '\0';
	memcpy(text, inc, sizeof inc - 1);
	judge(text, LINES_JSON_MAX, FAULT_NONE, 3);
	judge(text, LINES_JSON_MAX + 1, FAULT_TOO_LONG, 0);
	memset(text, '[', half);
	memset(text + half, ']', half);
	judge(text, 2 * half, FAULT_NOT_AN_OBJECT, 0);
	memset(text, '[', 2 * half);
	judge(text, 2 * half, FAULT_NOT_JSON, 0);
	memcpy(text, "{\"key\":", 7);
	judge(text, 2 * half, FAULT_NOT_JSON, 0);
	memset(text, '9', 2 * half);
	judge(text, 2 * half, FAULT_NOT_AN_OBJECT, 0);
	judge(nul, sizeof nul - 1, FAULT_NOT_JSON, 0);
	judge(nul_end, sizeof nul_end - 1, FAULT_NOT_JSON, 0);
	judge("\0", 1, FAULT_NOT_JSON, 0);
}

/* Without memory a line is not called wrong. */
static void
memory_gone(void)
{
#ifndef CHECK_SANITIZED
	static const char text[] =
	    "{\"v\\u0061lue\":12345678,\"key\":\"" K "\"}";
	struct rlimit was, none = {.rlim_cur = 0};
	static void *held[1 << 16];
	struct increment inc;
	enum fault fault;
	size_t n = 0;

	getrlimit(RLIMIT_AS, &was);
	none.rlim_max = was.rlim_max;
	setrlimit(RLIMIT_AS, &none);
	for (size_t size = 1 << 16; size >= 8; size /= 2)
		while (n < check_n(held) && (held[n] = malloc(size)) != NULL)
			n++;
	fault = increment_judge(text, sizeof text - 1, &inc);
	setrlimit(RLIMIT_AS, &was);
	while (n > 0)
		free(held[--n]);
	check(fault == FAULT_UNAVAILABLE, "%s", fault_code(fault));
#endif
}

int
main(void)
{
	for (size_t i = 0; i < check_n(cases); i++)
		judge(cases[i].text, strlen(cases[i].text), cases[i].fault,
		    cases[i].value);
	formats();
	mutates();
	bounds();
	memory_gone();
	return check_end();
}
