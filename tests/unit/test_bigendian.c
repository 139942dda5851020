/* Network byte order: the most significant byte first, at any address. */
#include "base/bigendian.h"
#include "check.h"

int
main(void)
{
	static const char want[] =
	    "\x01\x02\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe";
	char text[32] = "";
	char *at = text + 1;

	at = bigendian_put16(at, 0x0102);
	at = bigendian_put32(at, 0xf3f4f5f6);
	at = bigendian_put64(at, 0xf7f8f9fafbfcfdfe);
	check(at == text + 1 + 14, "%zd bytes", at - text - 1);
	check(memcmp(text + 1, want, 14) == 0, "bytes");
	check(bigendian_get64(text + 7) == 0xf7f8f9fafbfcfdfe, "get");
	return check_end();
}
