/* Finds where the mark of a tag is. */
#include "queue/tag_place.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bigendian.h"
#include "base/num.h"
#include "base/sha256.h"

enum { DIGITS_MAX = 18 };

static bool read_number(const char *text, size_t len, uint64_t *ret);
static bool read_base(const char *text, char ret[TAG_PLACE_ID]);
static inline int digit(char c);
static unsigned hash(const char id[TAG_PLACE_ID]);

int
tag_place_find(const char *tag, size_t len, struct tag_place *ret)
{
	enum { HALF = TAG_PLACE_PAIRS / 2 };
	const char *number = tag + TAG_PLACE_BASE + 1;
	uint8_t digest[SHA256_BYTES];
	uint64_t n = 0;

	*ret = (struct tag_place){.is_single = true, .field_len = TAG_PLACE_ID};
	if (len > TAG_PLACE_BASE + 1 && number[-1] == '.' &&
	    read_number(number, len - TAG_PLACE_BASE - 1, &n) &&
	    read_base(tag, ret->field)) {
		ret->pair = hash(ret->field) % HALF;
		if (n == 1)
			return 0;
		ret->is_single = false;
		ret->block = n / TAG_PLACE_BLOCK;
		ret->field_len =
		    (size_t)(num_write(ret->field, n % TAG_PLACE_BLOCK) -
			     ret->field);
		return 0;
	}
	if (sha256_digest(tag, len, digest) < 0)
		return -1;
	memcpy(ret->field, digest, TAG_PLACE_ID);
	ret->pair = HALF + hash(ret->field) % HALF;
	return 0;
}

size_t
tag_place_block_key(const char *tag, uint64_t block, char ret[TAG_PLACE_KEY])
{
	return (size_t)snprintf(ret, TAG_PLACE_KEY, "marks::%.*s.%" PRIu64,
	    TAG_PLACE_BASE, tag, block);
}

size_t
tag_place_shelf_key(unsigned pair, unsigned shelf, char ret[TAG_PLACE_KEY])
{
	return (size_t)snprintf(
	    ret, TAG_PLACE_KEY, "marks::%u.%02x", shelf, pair);
}

/* From 1, without leading zeros. */
static bool
read_number(const char *text, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (len > DIGITS_MAX || text[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = n;
	return true;
}

/* base64url of RFC 4648: 24 characters are 18 bytes, one text for each. */
static bool
read_base(const char *text, char ret[TAG_PLACE_ID])
{
	char bytes[TAG_PLACE_ID];

	for (size_t i = 0; i < TAG_PLACE_ID; i += 3, text += 4) {
		int a = digit(text[0]), b = digit(text[1]), c = digit(text[2]),
		    d = digit(text[3]);

		if ((a | b | c | d) < 0)
			return false;
		bytes[i] = (char)(a << 2 | b >> 4);
		bytes[i + 1] = (char)(b << 4 | c >> 2);
		bytes[i + 2] = (char)(c << 6 | d);
	}
	memcpy(ret, bytes, sizeof bytes);
	return true;
}

/* -1: it is none. */
static inline int
digit(char c)
{
	/* Each one more, from the space on. */
	/* clang-format off */
	static const uint8_t digits[] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 0,
		53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 0, 0, 0, 0, 0, 0,
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0, 0, 0, 0, 64,
		0, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41,
		42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 0, 0, 0, 0, 0,
	};
	/* clang-format on */
	unsigned char i = (unsigned char)(c - ' ');

	return i < sizeof digits ? digits[i] - 1 : -1;
}

/* Spreads ids that are no digests, too: a producer may count them up. */
static unsigned
hash(const char id[TAG_PLACE_ID])
{
	uint64_t a = bigendian_get64(id), b = bigendian_get64(id + 8),
		 c = bigendian_get64(id + TAG_PLACE_ID - 8),
		 h = a * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 29 ^ b) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 32 ^ c) * UINT64_C(0x94d049bb133111eb);
	h = (h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(h >> 48);
}

size_t
tag_place_mark(const struct increment *inc, char ret[TAG_PLACE_MARK])
{
	uint64_t value = (uint64_t)inc->value;
	size_t n = sizeof inc->key.bytes;

	memcpy(ret, inc->key.bytes, n);
	for (; value > 0; value >>= 8)
		ret[n++] = (char)(value & 0xff);
	return n;
}
