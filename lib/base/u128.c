/* Formats and parses unsigned 128-bit integers. */
#include "base/u128.h"

#include <string.h>

void
u128_format(u128 n, char ret[U128_TEXT])
{
	char digits[U128_TEXT];
	size_t at = U128_TEXT - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + (int)(n % 10));
	while ((n /= 10) > 0);
	memcpy(ret, digits + at, U128_TEXT - at);
}

int
u128_parse(const char *text, size_t len, u128 *ret)
{
	u128 n = 0;

	if (len < 1 || len > U128_DIGITS)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	*ret = n;
	return 0;
}
