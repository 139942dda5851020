/*
 * The scanner against jansson: what the one judges, the other judges alike,
 * with the same key and value.  The input is read twice: as a text, and as
 * numbers of tokens, of which texts are made that are nearly increments.
 */
#include "record/increment_scan.h"
#include "base/lines.h"
#include "fuzz.h"

#define ID "6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11"

static const char *const tokens[] = {"{", "}", ":", ",", "\"key\"", "\"value\"",
    "\"" ID "\"", "\"6F1B3C1E-7A4F-4F60-9a53-2b0f0f3a9a11\"", "{\"key\":\"" ID,
    "\",\"value\":", "\"key\":\"" ID "\",", "\"value\":3,", "3", "0", "-", "-0",
    "9223372036854775807", "9223372036854775808", "99999999999999999999", ".",
    "e", "E1", "+", "true", "false", "null", "nul", " ", "\t", "\r", "\n", "\v",
    "[", "]", "\"", "\\", "\\\"", "\\u006b", "\\u0000", "\"x\"", "\"\"", "\x7f",
    "\x1f", "\xc3\xa9", "\xff", "/", "'", "{\"error\":{", "3}", "}}"};

enum { TOKENS = sizeof tokens / sizeof *tokens };

static void
compare(const char *text, size_t len)
{
	static const struct increment untouched = {.value = -77};
	struct increment scanned = untouched, loaded = untouched;
	enum fault fault = FAULT_COUNT, by_load;
	char rewritten[INCREMENT_TEXT], formatted[INCREMENT_TEXT];
	size_t n;

	if (increment_scan(text, len, &fault, &scanned) < 0) {
		promise(fault == FAULT_COUNT && scanned.value == -77);
		return;
	}
	by_load = increment_load(text, len, &loaded);
	promise(fault == by_load);
	promise(scanned.value == loaded.value);
	promise(id_equal(&scanned.key, &loaded.key));
	promise(increment_rewrite(text, len, rewritten, &n) == fault);
	if (fault == FAULT_NONE)
		promise(n == increment_format(&loaded, formatted) &&
			memcmp(rewritten, formatted, n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[2 * LINES_JSON_MAX];
	size_t n = 0;

	compare((const char *)data, len);
	for (size_t i = 0; i < len; i++) {
		const char *token = tokens[data[i] % TOKENS];
		size_t token_len = data[i] == UINT8_MAX ? 1 : strlen(token);

		/* Also a NUL, which no token has. */
		if (data[i] == UINT8_MAX)
			token = "";
		if (n + token_len > sizeof text)
			break;
		memcpy(text + n, token, token_len);
		n += token_len;
	}
	compare(text, n);
	return 0;
}
