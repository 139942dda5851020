/* Reads and writes hexadecimal digits. */
#include "base/hex.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

int
hex_value(char c)
{
	char low = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

bool
hex_is_lower(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (memchr(digits, text[i], sizeof digits - 1) == NULL)
			return false;
	return true;
}

char *
hex_write(char *to, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < n; i++) {
		*to++ = digits[from[i] >> 4];
		*to++ = digits[from[i] & 15];
	}
	return to;
}
