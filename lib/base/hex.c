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

/* Both digits of every byte: a byte costs one look. */
#define ROW(h) \
	h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" h "8" h "9" h "a" h \
	  "b" h "c" h "d" h "e" h "f"

static const char pairs[] =
    ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7")
	ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");

char *
hex_write(char *to, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < n; i++, to += 2)
		memcpy(to, pairs + 2 * from[i], 2);
	return to;
}
