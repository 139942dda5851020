/*
 * Labels of dead letters: found, left out again byte for byte, and where a
 * letter goes with one and without.
 */
#include "check.h"
#include "inspect/label.h"

#define HEAD "\xff\0\xbe\xbe\x4a"
#define BASE "AAAAAAAAAAAAAAAAAAAAAAAA"
#define LABEL "\"incr-label\":[\"" BASE ".2 5 1700000000000\"]"

/* Labelled, and as it was. */
#define ROW(labelled_, bare_) \
	{ \
		labelled_, sizeof(labelled_) - 1, bare_, sizeof(bare_) - 1 \
	}
static const struct {
	const char *labelled;
	size_t labelled_len;
	const char *bare;
	size_t bare_len;
} rows[] = {
    ROW(HEAD "{" LABEL "}\nx", "x"),
    ROW(HEAD "{" LABEL "}\n", ""),
    ROW(HEAD "{" LABEL " }\nx", HEAD "{}\nx"),
    ROW(HEAD "{" LABEL "  }\nx", HEAD "{ }\nx"),
    ROW(HEAD "{" LABEL ",\"a\":[]}\nx", HEAD "{\"a\":[]}\nx"),
    ROW(HEAD " {" LABEL ",\"a\":[]}\nx", HEAD " {\"a\":[]}\nx"),
};

/* Not labels, or not of this form. */
static const struct {
	const char *text;
	enum label_state state;
} others[] = {
    {"{}\nx", LABEL_NONE},
    {"{\"a\":[\"incr-label\"]}\nx", LABEL_NONE},
    {"{}\n{" LABEL "}\nx", LABEL_NONE},
    {"{" LABEL "}", LABEL_NONE},
    {"{\"incr-label\":[\"\"]}\nx", LABEL_BAD},
    {"{\"incr-label\":[\"" BASE ".1 5 17\"]}\nx", LABEL_BAD},
    {"{\"incr-label\":[\"" BASE ".2 1024 17\"]}\nx", LABEL_BAD},
    {"{\"incr-label\":[\"" BASE ".2 5\"]}\nx", LABEL_BAD},
    {"{\"incr-label\":[\"" BASE ".2 5 6 7\"]}\nx", LABEL_BAD},
    {"{\"incr-label\":[\"AAAA.2 5 17\"]}\nx", LABEL_BAD},
    {"{\"incr-label\":[\"" BASE BASE BASE BASE BASE BASE BASE "\"]}\nx",
	LABEL_BAD},
    {"{\"incr-label\":[\"" BASE ".2\n", LABEL_BAD},
    {"{\"a\":[]," LABEL "}\nx", LABEL_FOUND},
};

static void
check_rows(void)
{
	for (size_t i = 0; i < check_n(rows); i++) {
		const char *raw = rows[i].labelled;
		size_t len = rows[i].labelled_len, at, n;
		struct label label;

		check(label_find(raw, len, &label) == LABEL_FOUND &&
			  strcmp(label.tag, BASE ".2") == 0 &&
			  label.shard == 5 && label.ms == 1700000000000,
		    "label %zu", i);
		check(label_span(raw, len, &at, &n) &&
			  len - n == rows[i].bare_len &&
			  memcmp(raw, rows[i].bare, at) == 0 &&
			  memcmp(raw + at + n, rows[i].bare + at,
			      len - n - at) == 0,
		    "span %zu", i);
	}
}

static void
check_others(void)
{
	for (size_t i = 0; i < check_n(others); i++) {
		char raw[512];
		size_t len = strlen(others[i].text) + 5;
		struct label label;

		memcpy(raw, HEAD, 5);
		memcpy(raw + 5, others[i].text, len - 5);
		check(label_find(raw, len, &label) == others[i].state,
		    "other %zu", i);
	}
}

static void
check_next(void)
{
	struct label_series a = {0}, b = {0};
	char one[LABEL_TEXT], two[LABEL_TEXT], other[LABEL_TEXT];
	struct tag_place at;

	label_next(&a, 3, one);
	label_next(&a, 1023, two);
	label_next(&b, 3, other);
	check(strcmp(one + TAG_PLACE_BASE, ".2 3") == 0, "%s", one);
	check(strcmp(two + TAG_PLACE_BASE, ".3 1023") == 0, "%s", two);
	check(memcmp(one, two, TAG_PLACE_BASE) == 0 &&
		  memcmp(one, other, TAG_PLACE_BASE) != 0,
	    "bases");
	check(tag_place_find(one, TAG_PLACE_BASE + 2, &at) == 0 &&
		  !at.is_single && at.block == 0,
	    "a block");
}

static void
check_fits(void)
{
	static char raw[1 << 16];

	memset(raw, ' ', sizeof raw);
	memcpy(raw, HEAD "{}", 7);
	raw[sizeof raw - LABEL_ROOM - 1] = '\n';
	check(label_fits(raw, sizeof raw), "room");
	raw[sizeof raw - LABEL_ROOM - 1] = ' ';
	raw[sizeof raw - LABEL_ROOM] = '\n';
	check(!label_fits(raw, sizeof raw), "no room");
	check(label_fits("x", 1), "no header");
}

/* "{}" with a label for this shard of 2. */
#define FOR(shard) "{\"incr-label\":[\"" BASE ".2 " shard " 17\"]}"

/* A key of shard 0 of 2, in a queue. */
static const struct {
	const char *queue;
	unsigned shards;
	const char *header; /* NULL: none */
	enum label_way way;
} ways[] = {
    {"q", 1, NULL, LABEL_WAY_READY},
    {"q.1", 1, NULL, LABEL_WAY_READY},
    {"q.0", 2, NULL, LABEL_WAY_READY},
    {"q.0", 2, "{}", LABEL_WAY_READY},
    {"q.1", 2, NULL, LABEL_WAY_LABEL},
    {"q.1", 2, "{}", LABEL_WAY_LABEL},
    {"q", 2, NULL, LABEL_WAY_LABEL},
    {"q.1", 2, FOR("0"), LABEL_WAY_SHARD},
    {"q.0", 2, FOR("0"), LABEL_WAY_SHARD},
    {"q", 2, FOR("0"), LABEL_WAY_SHARD},
    {"q.1", 2, FOR("1"), LABEL_WAY_UNKNOWN},
    {"q.0", 2, FOR("1"), LABEL_WAY_UNKNOWN},
    {"q", 1, FOR("0"), LABEL_WAY_UNKNOWN},
    {"q.1", 2, FOR("x"), LABEL_WAY_UNKNOWN},
    {"q.0", 2, FOR("x"), LABEL_WAY_UNKNOWN},
    {"q", 1, FOR("x"), LABEL_WAY_UNKNOWN},
};

static struct increment
of_shard_0(void)
{
	struct increment inc = {.value = 1};

	memset(inc.key.bytes, 0xff, sizeof inc.key.bytes);
	return inc;
}

static void
check_ways(void)
{
	struct increment inc = of_shard_0();

	for (size_t i = 0; i < check_n(ways); i++) {
		const char *header = ways[i].header;
		struct label label = {.shard = 9};
		char raw[256] = "x";
		size_t len = 1;

		if (header != NULL) {
			memcpy(raw, HEAD, 5);
			len = 5 + (size_t)snprintf(
				      raw + 5, sizeof raw - 5, "%s\nx", header);
		}
		check(label_find_way(raw, len, &inc, ways[i].queue,
			  ways[i].shards, &label) == ways[i].way,
		    "way %zu", i);
		check(ways[i].way != LABEL_WAY_SHARD || label.shard == 0,
		    "shard %zu", i);
	}
}

/* Room is of matter only where a label is needed. */
static void
check_room(void)
{
	static char raw[1 << 16];
	struct increment inc = of_shard_0();
	struct label label;

	memset(raw, ' ', sizeof raw);
	memcpy(raw, HEAD "{}", 7);
	raw[sizeof raw - LABEL_ROOM] = '\n';
	check(label_find_way(raw, sizeof raw, &inc, "q.1", 2, &label) ==
		  LABEL_WAY_NO_ROOM,
	    "another shard");
	check(label_find_way(raw, sizeof raw, &inc, "q.0", 2, &label) ==
		  LABEL_WAY_READY,
	    "its own");
}

int
main(void)
{
	check_rows();
	check_others();
	check_next();
	check_fits();
	check_ways();
	check_room();
	return check_end();
}
