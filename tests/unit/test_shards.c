/* Shards: which one a key belongs to, and their names there and back. */
#include <stdlib.h>

#include "check.h"
#include "queue/shards.h"
#include "record/id.h"

#define TEN "aZ09._:-bc"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define NAME_126 SIXTY SIXTY "123456"

/* By Python: zlib.crc32(uuid.UUID(key).bytes) % n. */
static const struct {
	const char *key;
	unsigned of_2, of_3, of_4, of_16, of_1000, of_1024;
} keys[] = {
    {"00000000-0000-0000-0000-000000000000", 1, 1, 1, 5, 493, 853},
    {"ffffffff-ffff-ffff-ffff-ffffffffffff", 0, 1, 2, 10, 266, 538},
    {"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11", 0, 2, 2, 10, 986, 474},
    {"00000000-0000-0000-0000-000000000001", 1, 1, 3, 3, 931, 963},
    {"01234567-89ab-cdef-0123-456789abcdef", 0, 0, 0, 8, 752, 552},
};

static void
check_keys(void)
{
	for (size_t i = 0; i < check_n(keys); i++) {
		const unsigned ns[] = {1, 2, 3, 4, 16, 1000, 1024};
		const unsigned expected[] = {0, keys[i].of_2, keys[i].of_3,
		    keys[i].of_4, keys[i].of_16, keys[i].of_1000,
		    keys[i].of_1024};
		struct id id;

		check(id_parse(keys[i].key, ID_TEXT, &id) == 0, "%s",
		    keys[i].key);
		for (size_t k = 0; k < check_n(ns); k++)
			check(shard_of(id.bytes, ns[k]) == expected[k],
			    "%s of %u: %u", keys[i].key, ns[k],
			    shard_of(id.bytes, ns[k]));
	}
}

/* Keys that differ in a byte only are spread as others are. */
static void
check_spread(void)
{
	unsigned count[4] = {0};
	unsigned char key[16] = {0};

	for (unsigned i = 0; i < 256; i++)
		for (int at = 0; at < 16; at++) {
			key[at] = (unsigned char)i;
			count[shard_of(key, 4)]++;
			key[at] = 0;
		}
	for (int i = 0; i < 4; i++)
		check(count[i] > 900 && count[i] < 1150, "%u", count[i]);
}

static const struct {
	const char *queue;
	unsigned i, n;
	const char *name; /* NULL: too long */
} names[] = {
    {"q", 0, 1, "q"},
    {"q", 0, 2, "q.0"},
    {"q", 3, 4, "q.3"},
    {"a.b", 1023, 1024, "a.b.1023"},
    {NAME_126, 9, 10, NAME_126 ".9"},
    {NAME_126, 10, 11, NULL},
    {NAME_126 "78", 0, 1, NAME_126 "78"},
    {NAME_126 "78", 0, 2, NULL},
};

static void
check_names(void)
{
	for (size_t i = 0; i < check_n(names); i++) {
		char name[QUEUE_NAME_MAX + 1] = "before";
		int got =
		    shard_name(names[i].queue, names[i].i, names[i].n, name);
		const char *expected =
		    names[i].name == NULL ? "before" : names[i].name;

		check(got == (names[i].name == NULL ? -1 : 0), "%s",
		    names[i].queue);
		check(strcmp(name, expected) == 0, "%s", name);
	}
}

static const struct {
	const char *name, *queue; /* NULL: no shard */
	unsigned i;
} parsed[] = {
    {"q.0", "q", 0},
    {"q.3", "q", 3},
    {"a.b.1023", "a.b", 1023},
    {"..7", ".", 7},
    {NAME_126 ".9", NAME_126, 9},
    {"q", NULL, 0},
    {"q.", NULL, 0},
    {"q.1024", NULL, 0},
    {"q.99999999999999999999", NULL, 0},
    {"q.03", NULL, 0},
    {"q.00", NULL, 0},
    {"q.3a", NULL, 0},
    {"q.-3", NULL, 0},
    {"q.+3", NULL, 0},
    {".3", NULL, 0},
    {"3", NULL, 0},
    {"q 1.3", NULL, 0},
    {NAME_126 "789.3", NULL, 0},
    {"", NULL, 0},
};

static void
check_parse(void)
{
	for (size_t i = 0; i < check_n(parsed); i++) {
		char queue[QUEUE_NAME_MAX + 1] = "before";
		unsigned n = 99;
		bool is = shard_parse(parsed[i].name, queue, &n);

		check(is == (parsed[i].queue != NULL), "%s", parsed[i].name);
		check(strcmp(queue, is ? parsed[i].queue : "before") == 0, "%s",
		    queue);
		check(
		    n == (is ? parsed[i].i : 99), "%s: %u", parsed[i].name, n);
	}
}

int
main(void)
{
	check_keys();
	check_spread();
	check_names();
	check_parse();
	return check_end();
}
