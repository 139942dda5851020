/* Shows what an audit has found. */
#include "inspect/audit_report.h"

#include <inttypes.h>

static void add_row(struct buf *out, const char *place,
    const struct deadletter_tally *t, const uint64_t *keys);
static void add_findings(struct buf *out, const struct audit_queue *o);
static void add_queue(struct buf *out, const struct audit_queue *o);
static void add_member(
    struct buf *out, const char *place, const struct deadletter_tally *t);

size_t
audit_report_max(const struct audit *a)
{
	return 4096 + 2048 * a->n_queues + EXPECTATION_REPORT_MAX;
}

void
audit_report_table(struct buf *out, const struct audit *a)
{
	struct audit_queue all = audit_queues(a);
	struct audit_table_sum sum = audit_table(a);
	struct deadletter_tally total = audit_total(a);
	const struct deadletter_tally table = {.sum = sum.sum};

	buf_addf(out, "%-8s %12s %12s %12s %20s\n", "place", "keys", "messages",
	    "invalid", "sum");
	add_row(out, "table", &table, &sum.keys);
	add_row(out, "taken", &all.taken, NULL);
	add_row(out, "ready", &all.ready, NULL);
	add_row(out, "rejected", &all.rejected, NULL);
	add_row(out, "total", &total, NULL);
	add_row(out, "counted", &all.counted, NULL);
	if (a->expectation != NULL)
		expectation_report_table(out, a->expectation);
}

/* Of the table the keys are known, of every other place the messages. */
static void
add_row(struct buf *out, const char *place, const struct deadletter_tally *t,
    const uint64_t *keys)
{
	char sum[U128_TEXT];

	u128_format(t->sum, sum);
	if (keys != NULL)
		buf_addf(out, "%-8s %12" PRIu64 " %12s %12s %20s\n", place,
		    *keys, "-", "-", sum);
	else
		buf_addf(out, "%-8s %12s %12" PRIu64 " %12" PRIu64 " %20s\n",
		    place, "-", t->messages, t->invalid, sum);
}

/* The name of a queue needs no escapes. */
void
audit_report_json(struct buf *out, const struct audit *a, const char *queue,
    const u128 *expected)
{
	struct audit_queue all = audit_queues(a);
	struct audit_table_sum sum = audit_table(a);
	struct deadletter_tally total = audit_total(a);
	char text[U128_TEXT], key[ID_TEXT + 1];

	u128_format(sum.sum, text);
	buf_addf(out, "{\"queue\":\"%s\"", queue);
	if (a->key != NULL) {
		id_format(a->key, key);
		buf_addf(out, ",\"key\":\"%s\"", key);
	}
	buf_addf(out, ",\"table\":{\"keys\":%" PRIu64 ",\"sum\":%s}", sum.keys,
	    text);
	add_member(out, "taken", &all.taken);
	add_member(out, "ready", &all.ready);
	add_member(out, "rejected", &all.rejected);
	add_member(out, "total", &total);
	add_member(out, "counted", &all.counted);
	add_findings(out, &all);
	if (expected != NULL) {
		u128_format(*expected, text);
		buf_addf(out, ",\"expected\":%s", text);
	}
	if (a->expectation != NULL)
		expectation_report_json(out, a->expectation);
	if (a->n_queues > 1)
		buf_addf(out, ",\"queues\":[");
	for (size_t i = 0; i < a->n_queues && a->n_queues > 1; i++) {
		buf_addf(out, "%s", i == 0 ? "" : ",");
		add_queue(out, &a->queues[i]);
	}
	buf_addf(out, "%s}\n", a->n_queues > 1 ? "]" : "");
}

static void
add_queue(struct buf *out, const struct audit_queue *o)
{
	buf_addf(out, "{\"queue\":\"%s\"", o->name);
	add_member(out, "taken", &o->taken);
	add_member(out, "ready", &o->ready);
	add_member(out, "rejected", &o->rejected);
	add_member(out, "counted", &o->counted);
	add_findings(out, o);
	buf_addf(out, "}");
}

static void
add_findings(struct buf *out, const struct audit_queue *o)
{
	buf_addf(out,
	    ",\"missing_batches\":%" PRIu64 ",\"unknown_batches\":%" PRIu64
	    ",\"missed_messages\":%" PRIu64,
	    o->missing, o->unknown, o->missed);
	if (o->compared)
		buf_addf(out, ",\"surplus_messages\":%" PRId64, o->surplus);
	else
		buf_addf(out, ",\"surplus_messages\":null");
}

static void
add_member(struct buf *out, const char *place, const struct deadletter_tally *t)
{
	char sum[U128_TEXT];

	u128_format(t->sum, sum);
	buf_addf(out,
	    ",\"%s\":{\"messages\":%" PRIu64 ",\"invalid\":%" PRIu64
	    ",\"sum\":%s}",
	    place, t->messages, t->invalid, sum);
}
