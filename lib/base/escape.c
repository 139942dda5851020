/* Shows control bytes as \xHH. */
#include "base/escape.h"

#include "base/hex.h"

size_t
escape_byte(unsigned char c, char ret[ESCAPE_MAX])
{
	if (c >= 0x20 && c < 0x7f) {
		ret[0] = (char)c;
		return 1;
	}
	ret[0] = '\\';
	ret[1] = 'x';
	hex_write(ret + 2, &c, 1);
	return ESCAPE_MAX;
}
