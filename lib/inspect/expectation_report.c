/* Shows which keys have other counts than are expected. */
#include "inspect/expectation_report.h"

static void add_difference(
    struct buf *out, const char *name, const struct expectation_key *k);
static void add_json_counts(struct buf *out, const struct expectation_key *k);

void
expectation_report_table(struct buf *out, const struct expectation *e)
{
	const struct expectation_key *k;
	struct expectation_key sum = expectation_total(e);
	char key[ID_TEXT + 1];
	size_t at = 0;

	buf_addf(out, "\n%-36s %20s %20s %20s %20s\n", "key", "expected",
	    "counted", "waiting", "rejected");
	for (int i = 0; i < EXPECTATION_REPORT_KEYS; i++) {
		k = expectation_differing(e, at, &at);
		if (k == NULL)
			break;
		id_format(&k->key, key);
		add_difference(out, key, k);
	}
	add_difference(out, "all", &sum);
}

static void
add_difference(
    struct buf *out, const char *name, const struct expectation_key *k)
{
	const u128 columns[] = {
	    k->expected, k->counted, k->waiting, k->rejected};
	char text[U128_TEXT];

	buf_addf(out, "%-36s", name);
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		u128_format(columns[i], text);
		buf_addf(out, " %20s", text);
	}
	buf_addf(out, "\n");
}

void
expectation_report_json(struct buf *out, const struct expectation *e)
{
	const struct expectation_key *k;
	struct expectation_key sum = expectation_total(e);
	char key[ID_TEXT + 1];
	size_t at = 0;

	buf_addf(out, ",\"expected_keys\":{\"keys\":%zu,\"differing\":%zu,",
	    e->n, expectation_differ(e));
	add_json_counts(out, &sum);
	buf_addf(out, "},\"differences\":[");
	for (int i = 0; i < EXPECTATION_REPORT_KEYS; i++) {
		k = expectation_differing(e, at, &at);
		if (k == NULL)
			break;
		id_format(&k->key, key);
		buf_addf(out, "%s{\"key\":\"%s\",", i == 0 ? "" : ",", key);
		add_json_counts(out, k);
		buf_addf(out, "}");
	}
	buf_addf(out, "]");
}

static void
add_json_counts(struct buf *out, const struct expectation_key *k)
{
	static const char *const names[] = {
	    "expected", "counted", "waiting", "rejected"};
	const u128 columns[] = {
	    k->expected, k->counted, k->waiting, k->rejected};
	char text[U128_TEXT];

	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		u128_format(columns[i], text);
		buf_addf(out, "%s\"%s\":%s", i == 0 ? "" : ",", names[i], text);
	}
}
