/*
 * What messages are worth, of all keys and of one.
 */
#include "check.h"
#include "inspect/deadletter_tally.h"

#define INCREMENT(key, value) "{\"key\":\"" key "\",\"value\":" value "}"
#define KEY "6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11"
#define OTHER "00000000-0000-0000-0000-000000000001"

static const char *const payloads[] = {INCREMENT(KEY, "9223372036854775807"),
    INCREMENT(KEY, "9223372036854775807"), INCREMENT(OTHER, "5"), "x",
    INCREMENT(KEY, "0"), "\xff\x00\xbe\xbe\x4a", " " INCREMENT(KEY, "1") "\n"};

static struct deadletter_tally
tally_of(const struct id *key)
{
	struct deadletter_tally t = {0};
	struct buf scratch = {0};

	for (size_t i = 0; i < check_n(payloads); i++)
		check(deadletter_tally_add(&t, key, &scratch, payloads[i],
			  strlen(payloads[i])) == 0,
		    "%zu", i);
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

int
main(void)
{
	struct deadletter_tally all, one, twice;
	struct id key;

	id_parse(KEY, ID_TEXT, &key);
	all = tally_of(NULL);
	check_tally(all, 7, 3, "18446744073709551620");
	one = tally_of(&key);
	check_tally(one, 3, 0, "18446744073709551615");
	id_parse(OTHER, ID_TEXT, &key);
	check_tally(tally_of(&key), 1, 0, "5");
	twice = all;
	deadletter_tally_merge(&twice, &one);
	check_tally(twice, 10, 3, "36893488147419103235");
	return check_end();
}
