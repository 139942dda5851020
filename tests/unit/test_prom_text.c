/*
 * The parser of the Prometheus text: tables of lines that are samples, and of
 * lines that are none.
 */
#include <math.h>

#include "check.h"
#include "top/prom_text.h"

static const struct {
	const char *line, *name, *labels;
	double value;
} good[] = {
    {"a 1", "a", "", 1},
    {"a_total 12.5", "a_total", "", 12.5},
    {":a:b{} 3", ":a:b", "", 3},
    {"  a\t{ x = \"1\" , y=\"2\",} \t-4e-1 ", "a", " x = \"1\" , y=\"2\",",
	-0.4},
    {"a{x=\"\"} +Inf", "a", "x=\"\"", INFINITY},
    {"a -inf", "a", "", -INFINITY},
    {"a 1.7976931348623157e+308", "a", "", 1.7976931348623157e308},
    {"a .5", "a", "", .5},
    {"a 1 1395066363000", "a", "", 1},
    {"a 1 -5", "a", "", 1},
    {"a{x=\"}\\\\\\\" # {\"} 7", "a", "x=\"}\\\\\\\" # {\"", 7},
    {"a{x=\"\xc3\xa9\"} 7", "a", "x=\"\xc3\xa9\"", 7},
};

static const char *const bad[] = {"a", "a ", "a x", "1a 1", "a-b 1", "a{ 1",
    "a{x} 1", "a{x=} 1", "a{x=1} 1", "a{x=\"1} 1", "a{x=\"1\" 1",
    "a{x=\"1\"y=\"2\"} 1", "a{x=\"\\t\"} 1", "a{:x=\"1\"} 1", "a{,} 1", "a 1 x",
    "a 1 2 3", "a 1 -", "a 0x10", "a 1_000", "a --1", "a +", "a .", "a 1e",
    "a 1,5", "a e1", "a nan0", "{x=\"1\"} 1", "a 1\r", "\xff 1",
    "a 1111111111111111111111111111111111111111111111111111111111111111"};

static void
test_lines(void)
{
	struct prom_text t;
	struct prom_sample s;
	char text[256];

	for (size_t i = 0; i < check_n(good); i++) {
		int len = snprintf(text, sizeof text, "%s\n", good[i].line);

		prom_text_open(&t, text, (size_t)len);
		check(prom_text_next(&t, &s), "%s", text);
		check(prom_text_is(&s, good[i].name), "%s", text);
		check(s.labels_len == strlen(good[i].labels) &&
			  memcmp(s.labels, good[i].labels, s.labels_len) == 0,
		    "%s", text);
		check(s.value == good[i].value, "%s: %g", text, s.value);
		check(!prom_text_next(&t, &s) && t.bad == 0, "%s", text);
	}
	for (size_t i = 0; i < check_n(bad); i++) {
		int len = snprintf(text, sizeof text, "%s\nb 2\n", bad[i]);

		prom_text_open(&t, text, (size_t)len);
		check(prom_text_next(&t, &s) && prom_text_is(&s, "b"),
		    "the line behind %s", bad[i]);
		check(t.bad == 1, "%s", bad[i]);
	}
}

static void
test_text(void)
{
	static const char text[] = "# HELP a An a.\n# TYPE a counter\n\n  \n"
				   "a 1\n#\na NaN\na 12";
	struct prom_text t;
	struct prom_sample s;

	prom_text_open(&t, text, sizeof text - 1);
	check(prom_text_next(&t, &s) && s.value == 1, "behind comments");
	check(prom_text_next(&t, &s) && isnan(s.value), "NaN");
	check(!prom_text_next(&t, &s) && t.bad == 1,
	    "half a line is none: it may have been 123");
	prom_text_open(&t, "", 0);
	check(!prom_text_next(&t, &s) && t.bad == 0, "nothing");
}

static void
test_long_line(void)
{
	char text[PROM_TEXT_LINE_MAX + 100];
	struct prom_text t;
	struct prom_sample s;

	memset(text, 'a', sizeof text);
	memcpy(text + sizeof text - 3, " 1\n", 3);
	prom_text_open(&t, text, sizeof text);
	check(!prom_text_next(&t, &s) && t.bad == 1, "too long");
}

static void
test_labels(void)
{
	static const char text[] =
	    "a{xx=\"no\",x=\"a\\\\b\\\"c\\nd\",y=\"\", z = \"long\",} 1\n";
	struct prom_text t;
	struct prom_sample s;
	char value[16];

	prom_text_open(&t, text, sizeof text - 1);
	check(prom_text_next(&t, &s), "a sample");
	check(prom_text_label(&s, "x", value, sizeof value) &&
		  strcmp(value, "a\\b\"c\nd") == 0,
	    "escapes: %s", value);
	check(prom_text_label(&s, "y", value, sizeof value) && *value == '\0',
	    "an empty value");
	check(prom_text_label(&s, "z", value, 4) && strcmp(value, "lon") == 0,
	    "cut: %s", value);
	check(!prom_text_label(&s, "w", value, sizeof value) && *value == '\0',
	    "none");
}

int
main(void)
{
	test_lines();
	test_text();
	test_long_line();
	test_labels();
	return check_end();
}
