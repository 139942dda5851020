/* Names of requests, and when a failed one is said. */
#include <stdlib.h>

#include "check.h"
#include "http/traceparent.h"
#include "serve/failure_log.h"

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define ZEROES "00000000000000000000000000000000"

static const struct {
	const char *text;
	bool valid;
} values[] = {
    {"00-" ID "-" PARENT "-01", true},
    {"00-" ID "-" PARENT "-00", true},
    {"00-" ID "-" PARENT "-ff", true},
    {"00-" ID "-0000000000000001-00", true},
    {"00-" ZEROES "-" PARENT "-01", false},
    {"00-" ID "-0000000000000000-01", false},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false},
    {"00-" ID "-00F067AA0BA902B7-01", false},
    {"00-" ID "-" PARENT "-0A", false},
    {"01-" ID "-" PARENT "-01", false},
    {"ff-" ID "-" PARENT "-01", false},
    {"00-" ID "-" PARENT "-01-", false},
    {"00-" ID "-" PARENT "-01-x", false},
    {"00-" ID "-" PARENT "-1", false},
    {"00-" ID "-" PARENT, false},
    {"00-" ID PARENT "--01", false},
    {"00_" ID "-" PARENT "-01", false},
    {"00-" ID "_" PARENT "-01", false},
    {"00-" ID "-" PARENT "_01", false},
    {"00-4bf92f3577b34da6a3ce929d0e0e473g-" PARENT "-01", false},
    {" 00-" ID "-" PARENT "-01", false},
    {"", false},
};

static void
test_values(void)
{
	static const char nul[] =
	    "00-" ID "-00f067aa0ba902b\0-01"; /* strchr finds it */

	for (size_t i = 0; i < check_n(values); i++)
		check(traceparent_is_valid(values[i].text,
			  strlen(values[i].text)) == values[i].valid,
		    "%s", values[i].text);
	check(!traceparent_is_valid(nul, sizeof nul - 1), "a NUL");
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
test_make(void)
{
	enum { N = 1000 };
	static struct traceparent made[N];

	for (size_t i = 0; i < N; i++) {
		traceparent_make(&made[i]);
		check(traceparent_is_valid(made[i].text, strlen(made[i].text)),
		    "%s", made[i].text);
		check(strcmp(made[i].text + TRACEPARENT_TEXT - 3, "-00") == 0,
		    "nothing was recorded: %s", made[i].text);
	}
	qsort(made, N, sizeof *made, compare);
	for (size_t i = 1; i < N; i++)
		check(memcmp(made[i - 1].text, made[i].text,
			  TRACEPARENT_ID_AT + TRACEPARENT_ID) != 0,
		    "twice: %s", made[i].text);
}

static void
test_adopt(void)
{
	struct traceparent t = {.text = "00-" ID "-" PARENT "-01"}, none = {0};
	struct traceparent bad = {.text = "00-" ID "-" PARENT "-0X"};

	traceparent_adopt(&t);
	check(memcmp(t.text, "00-" ID "-", 36) == 0, "%s", t.text);
	check(memcmp(t.text + 36, PARENT, 16) != 0, "%s", t.text);
	check(strcmp(t.text + 52, "-00") == 0, "%s", t.text);
	traceparent_adopt(&none);
	check(traceparent_is_valid(none.text, strlen(none.text)), "%s",
	    none.text);
	traceparent_adopt(&bad);
	check(traceparent_is_valid(bad.text, strlen(bad.text)), "%s", bad.text);
	check(memcmp(bad.text, t.text, 35) != 0, "%s", bad.text);
}

static void
test_complaints(void)
{
	struct failure_log all = {0};
	struct failure c = {0};
	struct traceparent t = {.text = "a"};

	check(failure_log_due(&all) == INT64_MAX, "nothing");
	check(!failure_log_next(&all, 5000, &c), "nothing");
	failure_log_add(&all, 503, "x", "z", &t);
	check(failure_log_due(&all) <= 5000, "at once");
	check(failure_log_next(&all, 5000, &c), "at once");
	check(c.status == 503 && c.others == 0 && c.trace.text[0] == 'a' &&
		  strcmp(c.code, "x") == 0 && strcmp(c.why, "z") == 0,
	    "the one");
	check(failure_log_due(&all) == INT64_MAX, "said");
	for (int i = 0; i < 7; i++) {
		t.text[0]++;
		failure_log_add(&all, 504, "y", NULL, &t);
		check(!failure_log_next(&all, 5999, &c), "not before a second");
	}
	check(failure_log_due(&all) == 6000, "after a second");
	check(failure_log_next(&all, 6000, &c), "after a second");
	check(c.status == 504 && c.others == 6 && c.trace.text[0] == 'h',
	    "the last of seven: %c, %ju", c.trace.text[0], (uintmax_t)c.others);
	failure_log_add(&all, 503, "x", "z", &t);
	check(!failure_log_next(&all, 6999, &c), "a second again");
	check(failure_log_next(&all, INT64_MAX, &c), "the end");
	check(c.others == 0, "counted anew");
	check(!failure_log_next(&all, INT64_MAX, &c), "said");
}

int
main(void)
{
	test_values();
	test_make();
	test_adopt();
	test_complaints();
	return check_end();
}
