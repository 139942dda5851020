/* The classes of characters in HTTP heads. */
#include "http/http_chars.h"

#include "base/hex.h"

#define ALL \
	(HTTP_CHARS_TOKEN | HTTP_CHARS_TEXT | HTTP_CHARS_TARGET | \
	    HTTP_CHARS_NAME)
#define NO_NAME (HTTP_CHARS_TOKEN | HTTP_CHARS_TEXT | HTTP_CHARS_TARGET)
#define NO_TOKEN (HTTP_CHARS_TEXT | HTTP_CHARS_TARGET | HTTP_CHARS_NAME)
#define VALUE HTTP_CHARS_TEXT
#define HASH (HTTP_CHARS_TOKEN | HTTP_CHARS_TEXT)
#define VISIBLE (HTTP_CHARS_TEXT | HTTP_CHARS_TARGET)

/* clang-format off */
const uint8_t http_chars_classes[256] = {
	['\t'] = VALUE, [' '] = VALUE, ['!'] = ALL, ['"'] = VISIBLE,
	['#'] = HASH, ['$'] = ALL, ['%'] = ALL, ['&'] = ALL,
	['\''] = ALL, ['('] = NO_TOKEN, [')'] = NO_TOKEN, ['*'] = ALL,
	['+'] = ALL, [','] = VISIBLE, ['-'] = ALL, ['.'] = ALL,
	['/'] = VISIBLE, ['0' ... '9'] = ALL, [':'] = VISIBLE,
	[';'] = NO_TOKEN, ['<'] = VISIBLE, ['='] = NO_TOKEN,
	['>' ... '@'] = VISIBLE, ['A' ... 'Z'] = ALL,
	['[' ... ']'] = VISIBLE, ['^'] = NO_NAME, ['_'] = ALL,
	['`'] = NO_NAME, ['a' ... 'z'] = ALL, ['{'] = VISIBLE,
	['|'] = NO_NAME, ['}'] = VISIBLE, ['~'] = ALL,
	[0x80 ... 0xff] = VALUE,
};
/* clang-format on */

bool
http_chars_equal(const char *p, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++) {
		char c =
		    p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] | 0x20) : p[i];

		if (word[i] == '\0' || c != word[i])
			return false;
	}
	return word[len] == '\0';
}

bool
http_chars_is_authority(const char *p, size_t len)
{
	const char *end = p + len, *name = p;

	if (p < end && *p == '[') {
		name = ++p;
		while (p < end &&
		       (http_chars_is(*p, HTTP_CHARS_NAME) || *p == ':'))
			p++;
		if (p == name || p == end || *p++ != ']')
			return false;
	} else {
		for (; p < end && http_chars_is(*p, HTTP_CHARS_NAME); p++)
			if (*p == '%' && (end - p < 3 || hex_value(p[1]) < 0 ||
					     hex_value(p[2]) < 0))
				return false;
		if (p == name)
			return false;
	}
	if (p < end && *p++ != ':')
		return false;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p == end;
}

bool
http_chars_has_tab(const char *value, size_t len)
{
	const char *from = value, *to = value + len;

	while (from[-1] != ':')
		if (*--from == '\t')
			return true;
	for (; *to != '\r'; to++)
		if (*to == '\t')
			return true;
	return false;
}
