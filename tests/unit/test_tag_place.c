/*
 * Where the mark of a tag is.  These places are a contract between releases: a
 * change of one counts lines twice through an upgrade.
 */
#include <string.h>

#include "check.h"
#include "queue/tag_place.h"

#define BASE "jw2fbGmyVUwYB7wLnfTMC_aE"

static void
check_block(const char *tag, const char *expected_key, const char *field)
{
	struct tag_place at;
	char key[TAG_PLACE_KEY];

	check(tag_place_find(tag, strlen(tag), &at) == 0 && !at.is_single,
	    "%s: in no block", tag);
	tag_place_block_key(tag, at.block, key);
	check(strcmp(key, expected_key) == 0, "%s: %s", tag, key);
	check(at.field_len == strlen(field) &&
		  memcmp(at.field, field, at.field_len) == 0,
	    "%s: field %.*s", tag, (int)at.field_len, at.field);
}

/* Its pair of shelves, and the first bytes of its field. */
static void
check_single(const char *tag, unsigned pair, const char *field)
{
	struct tag_place at;
	char key[TAG_PLACE_KEY], expected[TAG_PLACE_KEY];

	check(tag_place_find(tag, strlen(tag), &at) == 0 && at.is_single &&
		  at.field_len == TAG_PLACE_ID,
	    "%s: no single", tag);
	check(at.pair == pair, "%s: pair %u", tag, at.pair);
	check(memcmp(at.field, field, 3) == 0, "%s: field %02x%02x%02x", tag,
	    (unsigned char)at.field[0], (unsigned char)at.field[1],
	    (unsigned char)at.field[2]);
	tag_place_shelf_key(pair, 2, key);
	snprintf(expected, sizeof expected, "marks::2.%02x", pair);
	check(strcmp(key, expected) == 0, "%s", key);
}

static void
check_mark(int64_t value, const char *expected, size_t len)
{
	struct increment inc = {.key = {{1, 2, 3}}, .value = value};
	char mark[TAG_PLACE_MARK];
	size_t n = tag_place_mark(&inc, mark);

	check(n == 16 + len && memcmp(mark, "\1\2\3", 4) == 0 &&
		  memcmp(mark + 16, expected, len) == 0,
	    "mark of %lld: %zu bytes", (long long)value, n);
}

int
main(void)
{
	check_block(BASE ".2", "marks::" BASE ".0", "2");
	check_block(BASE ".127", "marks::" BASE ".0", "127");
	check_block(BASE ".128", "marks::" BASE ".1", "0");
	check_block(BASE ".300", "marks::" BASE ".2", "44");
	check_block(BASE ".999999999999999999",
	    "marks::" BASE ".7812499999999999", "127");
	check_single(BASE ".1", 11, "\x8f\x0d\x9f");
	check_single("------------------------.1", 54, "\xfb\xef\xbe");
	check_single("t", 244, "\xe3\xb9\x8a"); /* SHA-256 */
	/* Whatever is not of that form is by its digest. */
	static const char *const others[] = {BASE, BASE ".", BASE ".0",
	    BASE ".01", BASE ".1x", BASE ".-1", BASE ".1000000000000000000",
	    BASE "x.1", "x" BASE ".1", "jw2fbGmyVUwYB7wLnfTMC+aE.2",
	    "jw2fbGmyVUwYB7wLnfTMC=aE.2", BASE ",2", "x.1", "x"};
	for (size_t i = 0; i < check_n(others); i++) {
		struct tag_place at;

		check(tag_place_find(others[i], strlen(others[i]), &at) == 0 &&
			  at.is_single && at.pair >= TAG_PLACE_PAIRS / 2 &&
			  at.pair < TAG_PLACE_PAIRS,
		    "%s: pair %u", others[i], at.pair);
	}
	check_mark(1, "\x01", 1);
	check_mark(256, "\x00\x01", 2);
	check_mark(INT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
	return check_end();
}
