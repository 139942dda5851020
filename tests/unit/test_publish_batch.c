/*
 * The batch: answers in input order whatever becomes of the lines, and what is
 * left for Redis once some have expired.
 */
#include <stdint.h>

#include "check.h"
#include "increments.h"
#include "publish/publish_batch.h"

#define LINE(v) "{\"key\":\"" K "\",\"value\":" #v "}"

static enum publish_batch_taken
add(struct publish_batch *b, const char *text, uint64_t number,
    int64_t arrived_ms)
{
	struct publish_batch_line line = {
	    text, strlen(text), false, false, number, arrived_ms};
	struct publish_batch_judged judged;
	struct control_error error;

	publish_batch_judge(&line, b->tagged, false, &judged);
	return publish_batch_add(b, &line, &judged, &error);
}

static void
fill(struct publish_batch *b)
{
	check(add(b, "a\tbad", 1, 10) == PUBLISH_BATCH_REJECTED, "bad");
	check(add(b, "b\t" LINE(2), 2, 10) == PUBLISH_BATCH_DATA, "data");
	check(add(b, LINE(3), 3, 20) == PUBLISH_BATCH_REJECTED, "no tag");
	check(add(b, "\t{ \"value\":4, \"key\":\"" K "\"}", 4, 30) ==
		  PUBLISH_BATCH_DATA,
	    "data");
	check(add(b, "d\t" LINE(5), 5, 40) == PUBLISH_BATCH_DATA, "data");
	check(b->n_data == 3 && publish_batch_oldest_ms(b) == 10, "%zu",
	    b->n_data);
}

/* Do the answers begin like these, in this order, and are there no more? */
static void
check_out(struct buf *out, const char *const *begins, size_t n)
{
	const char *at = buf_ptr(out);
	const char *end = at == NULL ? NULL : at + out->len;

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(begins[i]);
		const char *newline =
		    at == end ? NULL : memchr(at, '\n', (size_t)(end - at));

		check(newline != NULL && (size_t)(newline - at) >= len &&
			  memcmp(at, begins[i], len) == 0,
		    "answer %zu: %s", i, begins[i]);
		if (newline == NULL)
			return;
		at = newline + 1;
	}
	check(at == end, "more than %zu answers", n);
	buf_clear(out);
}

static size_t
encoded(struct publish_batch *b)
{
	const struct queue_lines *lines = publish_batch_encode(b);

	return lines == NULL ? SIZE_MAX : lines->n;
}

int
main(void)
{
	static const char *const well[] = {
	    "a\t{\"error\":{\"code\":\"not-json\"", "b\t" LINE(2),
	    "\t{\"error\":{\"code\":\"not-tagged\"", "\t{ \"value\":4,",
	    "d\t" LINE(5)};
	static const char *const refused[] = {"a\t{\"error\"", "b\t" LINE(2),
	    "\t{\"error\"", "\t{\"error\":{\"code\":\"unknown\"",
	    "d\t" LINE(5)};
	static const char *const early[] = {"a\t{\"error\""};
	static const char *const late[] = {
	    "b\t{\"error\":{\"code\":\"unavailable\"", "\t{\"error\"",
	    "\t{\"error\":{\"code\":\"unavailable\""};
	static const char *const rest[] = {"d\t" LINE(5)};
	struct publish_batch b;
	struct buf out = {0};

	check(publish_batch_open(&b, true, true) == 0, "open");
	fill(&b);
	check(encoded(&b) == 3, "encoded");
	check(publish_batch_release(&b, &out) == 0 && publish_batch_empty(&b),
	    "release");
	check_out(&out, well, check_n(well));

	fill(&b);
	check(publish_batch_refuse(&b, 1, FAULT_UNKNOWN) == 4, "number");
	check(publish_batch_release(&b, &out) == 0, "release");
	check_out(&out, refused, check_n(refused));

	fill(&b);
	check(publish_batch_expire(&b, INT64_MIN, FAULT_UNAVAILABLE, &out) == 0,
	    "errors at the front wait for nothing");
	check_out(&out, early, check_n(early));
	check(encoded(&b) == 3, "none gone");
	check(publish_batch_expire(&b, 30, FAULT_UNAVAILABLE, &out) == 2,
	    "two late");
	check_out(&out, late, check_n(late));
	check(
	    encoded(&b) == 1 && publish_batch_oldest_ms(&b) == 40, "one left");
	check(publish_batch_release(&b, &out) == 0, "release");
	check_out(&out, rest, check_n(rest));

	for (uint64_t i = 1; !publish_batch_full(&b); i++)
		check(
		    add(&b, "\t" LINE(1), i, 1) == PUBLISH_BATCH_DATA, "many");
	check(encoded(&b) == PUBLISH_BATCH_LINES, "full");
	publish_batch_refuse_all(&b, FAULT_UNKNOWN);
	check(publish_batch_release(&b, &out) == 0 && publish_batch_empty(&b) &&
		  publish_batch_oldest_ms(&b) == INT64_MAX,
	    "all at once");
	for (uint64_t i = 1; !publish_batch_full(&b); i++)
		check(
		    add(&b, "t\t" LINE(1), i, 1) == PUBLISH_BATCH_DATA, "tags");
	check(encoded(&b) == QUEUE_TAGS_MAX, "full of tags");
	check(publish_batch_release(&b, &out) == 0, "release");
	buf_free(&out);
	publish_batch_close(&b);
	return check_end();
}
