/*
 * Expectations: lines of few keys in bounded memory, sums at the limit, and
 * the increments of a batch whose place is not known yet.
 */
#include "check.h"
#include "inspect/expectation.h"

enum { KEYS = 1000, LINES = 200000 };

static struct id
key(unsigned i)
{
	struct id id = {0};

	id.bytes[0] = (uint8_t)(i * 7);
	id.bytes[14] = (uint8_t)(i >> 8);
	id.bytes[15] = (uint8_t)i;
	return id;
}

static enum expectation_line
add_text(struct expectation *e, unsigned i, const char *count)
{
	char line[128], text[ID_TEXT + 1];
	struct id id = key(i);
	int len;

	id_format(&id, text);
	len = snprintf(line, sizeof line, "%s %s", text, count);
	return expectation_add_line(e, 1, line, (size_t)len);
}

static void
few_keys(void)
{
	struct expectation e = {0};
	struct expectation_key sum;

	for (unsigned i = 0; i < LINES; i++)
		check(
		    add_text(&e, i % KEYS, "3") == EXPECTATION_TAKEN, "%u", i);
	check(e.cap <= KEYS * 3, "%zu", e.cap);
	check(expectation_end(&e) == EXPECTATION_TAKEN, "end");
	check(e.n == KEYS && e.cap == KEYS, "%zu %zu", e.n, e.cap);
	for (unsigned i = 0; i < KEYS; i++) {
		struct increment inc = {key(i), i == 7 ? 599 : 500};

		expectation_add_counted(&e, &inc.key, 100);
		expectation_add_waiting(&e, &inc);
	}
	sum = expectation_total(&e);
	check(sum.expected == 3 * LINES && sum.counted == 100 * KEYS &&
		  sum.waiting == 500 * KEYS + 99,
	    "sums");
	check(expectation_differ(&e) == 1, "%zu", expectation_differ(&e));
	expectation_forget_table(&e);
	check(expectation_differ(&e) == KEYS, "table");
	expectation_forget_queue(&e);
	check(expectation_total(&e).waiting == 0, "queue");
	expectation_free(&e);
}

/* In memory one after the other, or only at the end. */
static void
largest(void)
{
	static const char nines[] = "99999999999999999999999999999999999999";
	struct expectation e = {0};
	enum expectation_line result = EXPECTATION_TAKEN;

	check(add_text(&e, 1, nines) == EXPECTATION_TAKEN, "largest");
	check(add_text(&e, 2, nines) == EXPECTATION_TAKEN, "another key");
	check(add_text(&e, 1, "1") == EXPECTATION_TAKEN, "not added up yet");
	check(expectation_end(&e) == EXPECTATION_LARGE, "end");
	expectation_free(&e);
	for (unsigned i = 0; i < LINES && result == EXPECTATION_TAKEN; i++)
		result = add_text(&e, 1, nines);
	check(result == EXPECTATION_LARGE, "%d", result);
	expectation_free(&e);
}

static void
logged(void)
{
	struct expectation e = {0};
	struct expectation_log l = {0};
	struct increment inc = {key(1), INT64_MAX};
	struct increment other = {key(2), 1}, unknown = {key(3), 1};

	check(add_text(&e, 1, "0") == EXPECTATION_TAKEN, "1");
	check(add_text(&e, 2, "0") == EXPECTATION_TAKEN, "2");
	check(expectation_end(&e) == EXPECTATION_TAKEN, "end");
	for (int i = 0; i < 100; i++)
		check(expectation_log_add(&l, &e, &inc) == 0 &&
			  expectation_log_add(&l, &e, &other) == 0 &&
			  expectation_log_add(&l, &e, &unknown) == 0,
		    "%d", i);
	expectation_log_end(&l);
	/* Two of the first fit an entry. */
	check(l.n == 51 && l.cap == 51, "%zu %zu", l.n, l.cap);
	expectation_add_log(&e, &l);
	check(expectation_total(&e).waiting == (u128)INT64_MAX * 100 + 100,
	    "sum");
	expectation_log_free(&l);
	expectation_free(&e);
}

int
main(void)
{
	few_keys();
	largest();
	logged();
	return check_end();
}
