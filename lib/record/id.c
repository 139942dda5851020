/* Makes, parses and formats UUIDs. */
#include "record/id.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes16.h"

/* Bytes whose high bits RFC 9562 sets: version 4, variant 10. */
enum { VERSION_AT = 6, VARIANT_AT = 8 };

/* The bit that a letter must have, the one of lower case, if any. */
enum { EITHER_CASE = 0, LOWER_CASE = 0x20 };

/* 16 digits at a time: a table costs three times as much. */
typedef uint8_t bytes8 __attribute__((vector_size(8)));
typedef uint16_t pairs8 __attribute__((vector_size(16)));
typedef uint32_t words4 __attribute__((vector_size(16)));

/* Of the two digits of each byte, the first. */
static const bytes16 first = {
    255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0};

static int parse(
    const char *text, size_t len, uint8_t letter_case, struct id *ret);

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
	return parse(text, len, EITHER_CASE, ret);
}

int
id_parse_lower(const char *text, size_t len, struct id *ret)
{
	return parse(text, len, LOWER_CASE, ret);
}

static inline uint32_t
word(const char *text)
{
	uint32_t w;

	memcpy(&w, text, sizeof w);
	return w;
}

/* Sets bits of *ret_faulty where a character is none of the digits. */
static inline bytes8
read_digits(words4 text, uint8_t letter_case, bytes16 *ret_faulty)
{
	bytes16 c = (bytes16)text;
	bytes16 digit = c - '0', letter = (c | 0x20) - 'a';
	bytes16 is_digit = (bytes16)(digit <= 9);
	bytes16 is_letter = (bytes16)(letter <= 5);
	bytes16 value = (digit & is_digit) | ((letter + 10) & is_letter);
	pairs8 two = (pairs8)((value << 4 & first) | (value & ~first));

	*ret_faulty |= ~(is_digit | is_letter) | (is_letter & ~c & letter_case);
	return __builtin_convertvector((two | two >> 8) & 0xff, bytes8);
}

static int
parse(const char *t, size_t len, uint8_t letter_case, struct id *ret)
{
	bytes16 faulty = {0};
	bytes8 before, behind;

	if (len != ID_TEXT || t[8] != '-' || t[13] != '-' || t[18] != '-' ||
	    t[23] != '-')
		return -1;
	before = read_digits(
	    (words4){word(t), word(t + 4), word(t + 9), word(t + 14)},
	    letter_case, &faulty);
	behind = read_digits(
	    (words4){word(t + 19), word(t + 24), word(t + 28), word(t + 32)},
	    letter_case, &faulty);
	if (bytes16_any(faulty))
		return -1;
	memcpy(ret->bytes, &before, sizeof before);
	memcpy(ret->bytes + ID_BYTES / 2, &behind, sizeof behind);
	return 0;
}

/* Sets bits of *ret_faulty where a character of the 16 is not what id_format
 * writes: a digit, or where dash has bits, a dash. */
static inline void
check_lower(const char *text, bytes16 dash, bytes16 *ret_faulty)
{
	bytes16 c = bytes16_load(text), is_digit, is_letter, is_dash;

	is_digit = (bytes16)(c - '0' <= 9);
	is_letter = (bytes16)(c - 'a' <= 5);
	is_dash = (bytes16)(c == '-');
	*ret_faulty |= ~(((is_digit | is_letter) & ~dash) | (is_dash & dash));
}

bool
id_is_lower(const char text[ID_TEXT])
{
	/* 8 and 13; 18 and 23 of 16 on; 23 of 20 on */
	static const bytes16 at_8 = {0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0,
				 255},
			     at_18 = {0, 0, 255, 0, 0, 0, 0, 255},
			     at_23 = {0, 0, 0, 255};
	bytes16 faulty = {0};

	check_lower(text, at_8, &faulty);
	check_lower(text + 16, at_18, &faulty);
	check_lower(text + 20, at_23, &faulty);
	return !bytes16_any(faulty);
}

static inline bytes16
write_digits(bytes8 bytes)
{
	bytes16 twice =
	    (bytes16)(__builtin_convertvector(bytes, pairs8) * 0x0101);
	bytes16 digit = (twice >> 4 & first) | (twice & 15 & ~first);

	return digit + '0' + ((bytes16)(digit > 9) & ('a' - '0' - 10));
}

void
id_format(const struct id *id, char ret[ID_TEXT + 1])
{
	bytes8 before, behind;
	char from[2 * ID_BYTES];
	bytes16 digits;

	memcpy(&before, id->bytes, sizeof before);
	memcpy(&behind, id->bytes + ID_BYTES / 2, sizeof behind);
	digits = write_digits(before);
	memcpy(from, &digits, sizeof digits);
	digits = write_digits(behind);
	memcpy(from + ID_BYTES, &digits, sizeof digits);
	memcpy(ret, "00000000-0000-0000-0000-000000000000", ID_TEXT + 1);
	memcpy(ret, from, 8);
	memcpy(ret + 9, from + 8, 4);
	memcpy(ret + 14, from + 12, 4);
	memcpy(ret + 19, from + 16, 4);
	memcpy(ret + 24, from + 20, 12);
}

int
id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->bytes, b->bytes, ID_BYTES) == 0;
}
