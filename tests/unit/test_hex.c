/* Digits in both directions: every character, every byte. */
#include <stdint.h>

#include "base/hex.h"
#include "check.h"

static void values(void);
static void lower(void);
static void written(void);

int
main(void)
{
	values();
	lower();
	written();
	return check_end();
}

static void
values(void)
{
	static const char good[] = "0123456789abcdefABCDEF";

	for (int c = -128; c < 128; c++) {
		const char *at = c == 0 ? NULL : strchr(good, c);
		int is = at == NULL ? -1 : (int)(at - good);

		check(hex_value((char)c) == (is < 16 ? is : is - 6), "%d", c);
	}
}

static void
lower(void)
{
	check(hex_is_lower("0123456789abcdef", 16), "all");
	check(hex_is_lower("xyz", 0), "nothing");
	check(!hex_is_lower("a\0b", 3), "a NUL");
	for (const char *c = "A/:`g"; *c != '\0'; c++)
		check(!hex_is_lower(c, 1), "%c", *c);
}

/* As printf writes it, and not a byte more. */
static void
written(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint8_t byte = (uint8_t)i;
		char text[4] = "...", due[3];

		snprintf(due, sizeof due, "%02x", i);
		check(hex_write(text, &byte, 1) == text + 2, "%u", i);
		check(memcmp(text, due, 2) == 0 && text[2] == '.', "%u", i);
	}
}
