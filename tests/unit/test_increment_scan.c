/*
 * The scanner of plain lines: which lines it judges and which it leaves to
 * jansson, and that the two never differ.
 */
#include "base/lines.h"
#include "check.h"
#include "increments.h"
#include "record/increment_scan.h"

static const struct increment_case plain[] = {
    {"{\"key\":\"" K "\",\"value\":3}", FAULT_NONE, 3},
    {"{\"key\": \"" K "\", \"value\": 3}", FAULT_NONE, 3},
    {"{\"value\":3,\"key\":\"" K "\"}", FAULT_NONE, 3},
    {" \t{ \"key\"\n:\r\"" KU "\" , \"value\"\t: " MAX " } \r\n", FAULT_NONE,
	INT64_MAX},
    {"{\"x\":1,\"x\":\"~ \",\"y\":null,\"\":true,\"z\":false}",
	FAULT_UNKNOWN_MEMBER, 0},
    {"{\"value\":1,\"key\":\"" K "\",\"value\":1}", FAULT_REPEATED_MEMBER, 0},
    {"{\"key\":\"" K "\",\"key\":0,\"value\":3}", FAULT_REPEATED_MEMBER, 0},
    {"{}", FAULT_MISSING_KEY, 0},
    {"{ }", FAULT_MISSING_KEY, 0},
    {"{\"value\":0}", FAULT_MISSING_KEY, 0},
    {"{\"key\":\"x\"}", FAULT_MISSING_VALUE, 0},
    {"{\"key\":\"x\",\"value\":3}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":7,\"value\":0}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"" K "1\",\"value\":3}", FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"6f1b3c1g-7a4f-4f60-9a53-2b0f0f3a9a11\",\"value\":3}",
	FAULT_KEY_NOT_A_UUID, 0},
    {"{\"key\":\"" K "\",\"value\":\"3\"}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":null}", FAULT_VALUE_NOT_AN_INTEGER, 0},
    {"{\"key\":\"" K "\",\"value\":0}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":-0}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":-3}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":" OVER "}", FAULT_VALUE_OUT_OF_RANGE, 0},
    {"{\"key\":\"" K "\",\"value\":-" OVER "}", FAULT_VALUE_OUT_OF_RANGE, 0},
};

/* Some of these are increments, some are no JSON. */
static const char *const others[] = {"", " ", "x", "3", "\"key\"", "[]", "{",
    "{\"key\"", "{\"key\":", "{\"key\":\"", "{\"key\":\"" K,
    "{\"key\":\"" K "\"", "{\"key\":\"" K "\",",
    "{\"key\":\"" K "\",\"value\":3", "{\"key\":\"" K "\",\"value\":3}}",
    "{\"key\":\"" K "\",\"value\":3,}", "{,\"key\":\"" K "\",\"value\":3}",
    "{\"key\":\"" K "\"\"value\":3}", "{\"key\" \"x\":\"" K "\",\"value\":3}",
    "{\"key\",\"value\":3}", "{\"key\":\"" K "\",\"value\":03}",
    "{\"key\":\"" K "\",\"value\":-}", "{\"key\":\"" K "\",\"value\":+3}",
    "{\"key\":\"" K "\",\"value\":3.0}", "{\"key\":\"" K "\",\"value\":3e0}",
    "{\"key\":\"" K "\",\"value\":1 2}",
    "{\"key\":\"" K "\",\"value\":10000000000000000000}",
    "{\"key\":\"" K "\",\"value\":nul}", "{\"key\":\"" K "\",\"value\":[3]}",
    "{\"k\\u0065y\":\"" K "\",\"value\":3}", "{\"key\":\"\\n\",\"value\":3}",
    "{\"key\":\"\x1f\",\"value\":3}", "{\"key\":\"\xc3\xa9\",\"value\":3}",
    "{\"key\":\"" K "\",\"value\":3}\v", "\xef\xbb\xbf{}",
    "{\"checkpoint\":{}}", "{\"error\":{", "{\"error\":{}}"};

/* What is scanned, jansson judges alike; what is not, leaves *ret alone. */
static int
scan(const char *text, size_t len, enum fault *ret, struct increment *inc)
{
	struct increment loaded = {.value = -1};
	char rewritten[INCREMENT_TEXT], formatted[INCREMENT_TEXT];
	size_t n = 0;

	*inc = loaded;
	*ret = FAULT_COUNT;
	if (increment_scan(text, len, ret, inc) < 0) {
		check(*ret == FAULT_COUNT && inc->value == -1, "%.*s", (int)len,
		    text);
		return -1;
	}
	check(increment_load(text, len, &loaded) == *ret, "%.*s: %s", (int)len,
	    text, fault_code(*ret));
	check(loaded.value == inc->value && id_equal(&loaded.key, &inc->key),
	    "%.*s", (int)len, text);
	check(increment_rewrite(text, len, rewritten, &n) == *ret &&
		  (*ret != FAULT_NONE ||
		      (n == increment_format(&loaded, formatted) &&
			  memcmp(rewritten, formatted, n) == 0)),
	    "%.*s: rewritten", (int)len, text);
	return 0;
}

/* Every single byte of every plain line changed, removed, and all after it. */
static void
mutates(void)
{
	char text[256];

	for (size_t i = 0; i < check_n(plain); i++) {
		size_t len = strlen(plain[i].text);
		struct increment inc;
		enum fault fault;

		for (size_t at = 0; at < len; at++) {
			memcpy(text, plain[i].text, len);
			(void)scan(text, at, &fault, &inc);
			for (int c = 0; c < 256; c++) {
				text[at] = (char)c;
				(void)scan(text, len, &fault, &inc);
			}
			memmove(
			    text + at, plain[i].text + at + 1, len - at - 1);
			(void)scan(text, len - 1, &fault, &inc);
		}
	}
}

int
main(void)
{
	static const char line[] = "{\"value\":3,\"key\":\"" K "\"}";
	char text[LINES_JSON_MAX + 1];
	struct increment inc;
	enum fault fault;

	for (size_t i = 0; i < check_n(plain); i++) {
		const char *of = plain[i].text;

		check(scan(of, strlen(of), &fault, &inc) == 0, "%s", of);
		check(fault == plain[i].fault, "%s: %s", of, fault_code(fault));
		check(fault != FAULT_NONE || inc.value == plain[i].value, "%s",
		    of);
	}
	for (size_t i = 0; i < check_n(others); i++)
		check(scan(others[i], strlen(others[i]), &fault, &inc) < 0,
		    "%s", others[i]);
	mutates();
	memset(text, ' ', sizeof text);
	memcpy(text, line, sizeof line - 1);
	check(scan(text, LINES_JSON_MAX, &fault, &inc) == 0, "the longest");
	check(scan(text, LINES_JSON_MAX + 1, &fault, &inc) < 0, "too long");
	check(scan("{}\0", 3, &fault, &inc) < 0, "a NUL");
	return check_end();
}
