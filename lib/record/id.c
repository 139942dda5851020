/* Makes, parses and formats UUIDs. */
#include "record/id.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

/* Bytes whose high bits RFC 9562 sets: version 4, variant 10. */
enum { VERSION_AT = 6, VARIANT_AT = 8 };

/* Marks that survive an AND over all digits. */
enum { HEX = 0x20, LOWER = 0x10 };

/* A digit's value with its marks; 0: no digit. */
static const uint8_t digit[256] = {
    ['0'] = HEX | LOWER | 0,
    ['1'] = HEX | LOWER | 1,
    ['2'] = HEX | LOWER | 2,
    ['3'] = HEX | LOWER | 3,
    ['4'] = HEX | LOWER | 4,
    ['5'] = HEX | LOWER | 5,
    ['6'] = HEX | LOWER | 6,
    ['7'] = HEX | LOWER | 7,
    ['8'] = HEX | LOWER | 8,
    ['9'] = HEX | LOWER | 9,
    ['a'] = HEX | LOWER | 10,
    ['b'] = HEX | LOWER | 11,
    ['c'] = HEX | LOWER | 12,
    ['d'] = HEX | LOWER | 13,
    ['e'] = HEX | LOWER | 14,
    ['f'] = HEX | LOWER | 15,
    ['A'] = HEX | 10,
    ['B'] = HEX | 11,
    ['C'] = HEX | 12,
    ['D'] = HEX | 13,
    ['E'] = HEX | 14,
    ['F'] = HEX | 15,
};

/* Where the two digits of each byte are in the text. */
static const uint8_t place[ID_BYTES] = {
    0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

static int parse(const char *text, size_t len, unsigned want, struct id *ret);

void
id_make(struct id *ret)
{
	arc4random_buf(ret->bytes, ID_BYTES);
	ret->bytes[VERSION_AT] = 0x40 | (ret->bytes[VERSION_AT] & 0x0f);
	ret->bytes[VARIANT_AT] = 0x80 | (ret->bytes[VARIANT_AT] & 0x3f);
}

int
id_parse(const char *text, size_t len, struct id *ret)
{
	return parse(text, len, HEX, ret);
}

int
id_parse_lower(const char *text, size_t len, struct id *ret)
{
	return parse(text, len, LOWER, ret);
}

static int
parse(const char *text, size_t len, unsigned want, struct id *ret)
{
	const uint8_t *t = (const uint8_t *)text;
	unsigned marks = HEX | LOWER;
	struct id id;

	if (len != ID_TEXT || t[8] != '-' || t[13] != '-' || t[18] != '-' ||
	    t[23] != '-')
		return -1;
	for (size_t i = 0; i < ID_BYTES; i++) {
		unsigned high = digit[t[place[i]]];
		unsigned low = digit[t[place[i] + 1]];

		marks &= high & low;
		id.bytes[i] = (uint8_t)(high << 4 | (low & 15));
	}
	if ((marks & want) == 0)
		return -1;
	*ret = id;
	return 0;
}

void
id_format(const struct id *id, char ret[ID_TEXT + 1])
{
	static const struct {
		size_t at, n;
	} groups[] = {{0, 4}, {4, 2}, {6, 2}, {8, 2}, {10, 6}};

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		ret = hex_write(ret, id->bytes + groups[i].at, groups[i].n);
		*ret++ = '-';
	}
	ret[-1] = '\0';
}

int
id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->bytes, b->bytes, ID_BYTES) == 0;
}
