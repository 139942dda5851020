/* 128-bit numbers and their decimal text, both ways. */
#include "base/u128.h"
#include "check.h"

int
main(void)
{
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1.0",
	    "x", "100000000000000000000000000000000000000"};
	static const char *const good[] = {"0", "7", "18446744073709551616",
	    "99999999999999999999999999999999999999"};
	char text[U128_TEXT];
	u128 n = 5;

	for (size_t i = 0; i < check_n(bad); i++)
		check(u128_parse(bad[i], strlen(bad[i]), &n) < 0 && n == 5,
		    "'%s'", bad[i]);
	for (size_t i = 0; i < check_n(good); i++) {
		check(u128_parse(good[i], strlen(good[i]), &n) == 0, "%s",
		    good[i]);
		u128_format(n, text);
		check(strcmp(text, good[i]) == 0, "%s, not %s", text, good[i]);
	}
	check(u128_parse("123", 2, &n) == 0 && n == 12, "length");
	u128_format(~(u128)0, text);
	check(strcmp(text, "340282366920938463463374607431768211455") == 0,
	    "%s", text);
	return check_end();
}
