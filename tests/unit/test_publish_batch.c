/*
 * The outbox: answers in input order whatever becomes of the lines, and what
 * is left for Redis once some have gone.
 */
#include <stdint.h>

#include "check.h"
#include "publish/publish_batch.h"

#define K "6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11"
#define LINE(v) "{\"key\":\"" K "\",\"value\":" #v "}"

static enum outbox_taken
add(struct outbox *b, const char *text, uint64_t number, int64_t arrived_ms)
{
	struct outbox_line line = {
	    text, strlen(text), false, false, number, arrived_ms};
	struct record_error error;

	return outbox_add(b, &line, &error);
}

static void
fill(struct outbox *b)
{
	check(add(b, "a\tbad", 1, 10) == OUTBOX_REJECTED, "bad");
	check(add(b, "b\t" LINE(2), 2, 10) == OUTBOX_DATA, "data");
	check(add(b, LINE(3), 3, 20) == OUTBOX_REJECTED, "no tag");
	check(
	    add(b, "\t{ \"value\":4, \"key\":\"" K "\"}", 4, 30) == OUTBOX_DATA,
	    "data");
	check(add(b, "d\t" LINE(5), 5, 40) == OUTBOX_DATA, "data");
	check(b->n_data == 3 && outbox_oldest_ms(b) == 10, "%zu", b->n_data);
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
encoded(struct outbox *b)
{
	const struct queue_lines *lines = outbox_encode(b);

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
	struct outbox b;
	struct buf out = {0};

	check(outbox_open(&b, true, true) == 0, "open");
	fill(&b);
	check(encoded(&b) == 3, "encoded");
	check(outbox_release(&b, &out) == 0 && outbox_empty(&b), "release");
	check_out(&out, well, check_n(well));

	fill(&b);
	check(outbox_refuse(&b, 1, FAULT_UNKNOWN) == 4, "number");
	check(outbox_release(&b, &out) == 0, "release");
	check_out(&out, refused, check_n(refused));

	fill(&b);
	check(outbox_expire(&b, INT64_MIN, FAULT_UNAVAILABLE, &out) == 0,
	    "errors at the front wait for nothing");
	check_out(&out, early, check_n(early));
	check(encoded(&b) == 3, "none gone");
	check(outbox_expire(&b, 30, FAULT_UNAVAILABLE, &out) == 2, "two late");
	check_out(&out, late, check_n(late));
	check(encoded(&b) == 1 && outbox_oldest_ms(&b) == 40, "one left");
	check(outbox_release(&b, &out) == 0, "release");
	check_out(&out, rest, check_n(rest));

	for (uint64_t i = 1; !outbox_full(&b); i++)
		check(add(&b, "\t" LINE(1), i, 1) == OUTBOX_DATA, "many");
	check(encoded(&b) == OUTBOX_LINES, "full");
	outbox_refuse_all(&b, FAULT_UNKNOWN);
	check(outbox_release(&b, &out) == 0 && outbox_empty(&b) &&
		  outbox_oldest_ms(&b) == INT64_MAX,
	    "all at once");
	buf_free(&out);
	outbox_close(&b);
	return check_end();
}
