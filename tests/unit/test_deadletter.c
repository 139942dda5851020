/*
 * Why payloads are dead letters, how they are shown, and what they add up to.
 */
#include "base/lines.h"
#include "check.h"
#include "inspect/deadletter.h"

#define KEY "\"key\":\"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11\""
#define GOOD "{" KEY ",\"value\":3}"
#define SIGN "\xff\x00\xbe\xbe\x4a"
#define OF(text) (text), sizeof(text) - 1

static const struct {
	const char *raw;
	size_t len;
	const char *code;
} judged[] = {
    {OF(GOOD), "valid"},
    {OF("{" KEY ",\n\"value\"\n: 3}"), "valid"},
    {OF(SIGN "{\"a\":[\"b\"]}\n" GOOD), "valid"},
    {OF(SIGN "{\"a\":1}\n" GOOD), "faulty-header"},
    {OF(SIGN GOOD), "faulty-header"},
    {OF(""), "not-json"},
    {OF(GOOD GOOD), "not-json"},
    {OF(GOOD "\0"), "not-json"},
    {OF("[]"), "not-an-object"},
    {OF("{\"value\":1}"), "missing-key"},
    {OF("{" KEY "}"), "missing-value"},
    {OF("{" KEY ",\"value\":0}"), "value-out-of-range"},
    {OF("{" KEY ",\"value\":\"3\"}"), "value-not-an-integer"},
    {OF("{\"error\":{"), "control-line"},
    {OF(SIGN "{}\n{\"checkpoint\":{"), "control-line"},
};

static void
check_judge(void)
{
	static char large[LINES_JSON_MAX + 1];
	struct buf scratch = {0};
	struct increment inc;

	for (size_t i = 0; i < check_n(judged); i++) {
		enum fault f = deadletter_judge(
		    &scratch, judged[i].raw, judged[i].len, &inc);

		check(strcmp(deadletter_code(f), judged[i].code) == 0,
		    "%zu: %s", i, deadletter_code(f));
		check(f != FAULT_NONE || inc.value == 3, "%zu", i);
	}
	memset(large, ' ', sizeof large);
	memcpy(large, GOOD, sizeof GOOD - 1);
	check(deadletter_judge(&scratch, large, sizeof large, &inc) ==
		  FAULT_TOO_LONG,
	    "too long");
	check(deadletter_judge(&scratch, large, sizeof large - 1, &inc) ==
		  FAULT_NONE,
	    "as long as may be");
	buf_free(&scratch);
}

static void
check_find(void)
{
	static const char *const none[] = {"", "none", "Valid", "not-tagged",
	    "idempotency-key-reused", "unavailable", "unknown"};
	static const char *const more[] = {
	    "unknown-member", "repeated-member", "key-not-a-uuid", "too-long"};
	enum fault f;

	for (size_t i = 0; i < check_n(judged); i++)
		check(deadletter_find(judged[i].code, &f) == 0 &&
			  strcmp(deadletter_code(f), judged[i].code) == 0,
		    "%s", judged[i].code);
	for (size_t i = 0; i < check_n(more); i++)
		check(deadletter_find(more[i], &f) == 0 &&
			  strcmp(deadletter_code(f), more[i]) == 0,
		    "%s", more[i]);
	for (size_t i = 0; i < check_n(none); i++)
		check(deadletter_find(none[i], &f) < 0, "%s", none[i]);
}

static void
check_text(const struct buf *b, const char *text, const char *which)
{
	check(b->len == strlen(text) && memcmp(buf_ptr(b), text, b->len) == 0,
	    "%s: %.*s", which, (int)b->len, buf_ptr(b));
}

static void
check_shown(void)
{
	struct buf b = {0};

	buf_add(&b, "<", 1);
	deadletter_add_shown(&b, OF("a\0\x1b[1m\n\x7f\xc3\xa9\\ ~"), 100);
	deadletter_add_shown(&b, "", 0, 100);
	check_text(&b, "<a\\x00\\x1b[1m\\x0a\\x7f\\xc3\\xa9\\\\ ~", "bytes");
	buf_clear(&b);
	deadletter_add_shown(&b, "\xff\xff\xff", 3, 2);
	check_text(&b, "\\xff\\xff...", "cut");
	buf_clear(&b);
	deadletter_add_shown(&b, "abc", 3, 3);
	check_text(&b, "abc", "not cut");
	buf_free(&b);
}

static void
check_line(void)
{
	struct buf b = {0};

	deadletter_add_line(&b, OF("a\n\nb\n"));
	deadletter_add_line(&b, "", 0);
	deadletter_add_line(&b, OF(SIGN "{}\nc\nd"));
	check_text(&b, "a  b \n\nc d\n", "payloads proper");
	buf_clear(&b);
	deadletter_add_line(&b, OF(SIGN "x\ny"));
	check(b.len == 9 && memcmp(buf_ptr(&b), SIGN "x y\n", 9) == 0,
	    "behind a faulty header");
	buf_free(&b);
}

#define INCREMENT(key, value) "{\"key\":\"" key "\",\"value\":" value "}"
#define UUID "6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11"
#define OTHER "00000000-0000-0000-0000-000000000001"

static const char *const payloads[] = {INCREMENT(UUID, "9223372036854775807"),
    INCREMENT(UUID, "9223372036854775807"), INCREMENT(OTHER, "5"), "x",
    INCREMENT(UUID, "0"), "\xff\x00\xbe\xbe\x4a",
    " " INCREMENT(UUID, "1") "\n"};

static struct deadletter_tally
tally_of(const struct id *key)
{
	struct deadletter_tally t = {0};
	struct buf scratch = {0};

	for (size_t i = 0; i < check_n(payloads); i++) {
		struct increment inc = {.value = -1};
		u128 before = t.sum;

		check(deadletter_tally_add(&t, key, &scratch, payloads[i],
			  strlen(payloads[i]), &inc) == 0,
		    "%zu", i);
		check(t.sum - before == (uint64_t)inc.value, "%zu: %jd", i,
		    (intmax_t)inc.value);
	}
	buf_free(&scratch);
	return t;
}

static void
check_tally(struct deadletter_tally t, uint64_t messages, uint64_t invalid,
    const char *sum)
{
	char text[U128_TEXT];

	u128_format(t.sum, text);
	check(t.messages == messages && t.invalid == invalid &&
		  strcmp(text, sum) == 0,
	    "%ju %ju %s", (uintmax_t)t.messages, (uintmax_t)t.invalid, text);
}

static void
check_tallies(void)
{
	struct deadletter_tally all, one, twice;
	struct id key;

	id_parse(UUID, ID_TEXT, &key);
	all = tally_of(NULL);
	check_tally(all, 7, 3, "18446744073709551620");
	one = tally_of(&key);
	check_tally(one, 3, 0, "18446744073709551615");
	id_parse(OTHER, ID_TEXT, &key);
	check_tally(tally_of(&key), 1, 0, "5");
	twice = all;
	deadletter_tally_merge(&twice, &one);
	check_tally(twice, 10, 3, "36893488147419103235");
}

int
main(void)
{
	check_judge();
	check_find();
	check_shown();
	check_line();
	check_tallies();
	return check_end();
}
