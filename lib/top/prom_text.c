/* Reads the samples of a Prometheus text. */
#include "top/prom_text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

enum { NUMBER_MAX = 63 };

/* A line that is being read. */
struct cursor {
	const char *at, *end;
};

static bool parse_line(struct cursor c, struct prom_sample *ret);
static bool skip_labels(struct cursor *c);
static bool skip_value(struct cursor *c);
static bool skip_name(struct cursor *c, bool colons);
static bool skip_time(struct cursor *c);

void
prom_text_open(struct prom_text *t, const char *text, size_t len)
{
	*t = (struct prom_text){.at = text, .end = text + len};
}

static void
skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

/* Takes one character, if it is the next. */
static bool
take(struct cursor *c, char what)
{
	if (c->at == c->end || *c->at != what)
		return false;
	c->at++;
	return true;
}

bool
prom_text_next(struct prom_text *t, struct prom_sample *ret)
{
	while (t->at < t->end) {
		size_t left = (size_t)(t->end - t->at);
		const char *lf = memchr(t->at, '\n', left);
		struct cursor line = {t->at, lf == NULL ? t->end : lf};

		t->at = lf == NULL ? t->end : lf + 1;
		skip_blanks(&line);
		if (lf != NULL && (line.at == line.end || *line.at == '#'))
			continue;
		if (lf != NULL && line.end - line.at <= PROM_TEXT_LINE_MAX &&
		    parse_line(line, ret))
			return true;
		t->bad++;
	}
	return false;
}

static bool
parse_line(struct cursor c, struct prom_sample *ret)
{
	struct prom_sample s = {.name = c.at};
	const char *from;

	if (!skip_name(&c, true))
		return false;
	s.name_len = (size_t)(c.at - s.name);
	skip_blanks(&c);
	s.labels = c.at;
	if (take(&c, '{')) {
		s.labels = c.at;
		if (!skip_labels(&c))
			return false;
		s.labels_len = (size_t)(c.at - 1 - s.labels);
	}
	skip_blanks(&c);
	from = c.at;
	while (c.at < c.end && *c.at != ' ' && *c.at != '\t')
		c.at++;
	if (prom_text_number(from, (size_t)(c.at - from), &s.value) < 0 ||
	    !skip_time(&c))
		return false;
	*ret = s;
	return true;
}

/* [a-zA-Z_:][a-zA-Z0-9_:]*, of a label without colons */
static bool
skip_name(struct cursor *c, bool colons)
{
	const char *from = c->at;

	while (c->at < c->end &&
	       ((isalnum((unsigned char)*c->at) &&
		    (c->at > from || !isdigit((unsigned char)*c->at))) ||
		   *c->at == '_' || (colons && *c->at == ':')))
		c->at++;
	return c->at > from;
}

/* name="value",name="value" and maybe one more comma, with the brace behind */
static bool
skip_labels(struct cursor *c)
{
	for (int n = 0; n <= PROM_TEXT_LABELS_MAX; n++) {
		skip_blanks(c);
		if (take(c, '}'))
			return true;
		if (!skip_name(c, false))
			return false;
		skip_blanks(c);
		if (!take(c, '='))
			return false;
		skip_blanks(c);
		if (!skip_value(c))
			return false;
		skip_blanks(c);
		if (!take(c, ',') && (c->at == c->end || *c->at != '}'))
			return false;
	}
	return false;
}

/* In quotes; \\, \" and \n are the escapes. */
static bool
skip_value(struct cursor *c)
{
	if (!take(c, '"'))
		return false;
	while (c->at < c->end) {
		if (take(c, '"'))
			return true;
		if (take(c, '\\') &&
		    (c->at == c->end || strchr("\\\"n", *c->at) == NULL ||
			*c->at == '\0'))
			return false;
		c->at++;
	}
	return false;
}

/* Nothing, or milliseconds since 1970. */
static bool
skip_time(struct cursor *c)
{
	const char *from;

	skip_blanks(c);
	(void)take(c, '-');
	from = c->at;
	while (c->at < c->end && isdigit((unsigned char)*c->at))
		c->at++;
	if (c->at == from && from > c->end - 1)
		return from == c->end && from[-1] != '-';
	skip_blanks(c);
	return c->at > from && c->at == c->end;
}

int
prom_text_number(const char *text, size_t len, double *ret)
{
	static const char *const words[] = {"nan", "inf", "infinity"};
	char copy[NUMBER_MAX + 1], *end;
	size_t sign = len > 0 && (*text == '+' || *text == '-'), digits = 0;

	if (len == 0 || len > NUMBER_MAX)
		return -1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(copy + sign, words[i]) == 0) {
			*ret = i == 0         ? NAN
			       : *text == '-' ? -INFINITY
					      : INFINITY;
			return 0;
		}
	if (strspn(copy + sign, "0123456789.eE+-") != len - sign)
		return -1;
	digits = strcspn(copy + sign, "0123456789");
	if (sign + digits == len || digits > 1)
		return -1;
	*ret = strtod(copy, &end);
	return *end == '\0' ? 0 : -1;
}

bool
prom_text_is(const struct prom_sample *s, const char *name)
{
	return strlen(name) == s->name_len &&
	       memcmp(name, s->name, s->name_len) == 0;
}

/* The bytes from..end of a value between its quotes. */
static void
unescape(const char *from, const char *end, char *ret, size_t size)
{
	size_t n = 0;

	for (; from < end && n + 1 < size; from++) {
		char c = *from;

		if (c == '\\')
			c = *++from == 'n' ? '\n' : *from;
		ret[n++] = c;
	}
	ret[n] = '\0';
}

/* parse_line() has seen that the labels are well formed. */
bool
prom_text_label(
    const struct prom_sample *s, const char *label, char *ret, size_t size)
{
	struct cursor c = {s->labels, s->labels + s->labels_len};
	size_t len = strlen(label);

	for (skip_blanks(&c); c.at < c.end; skip_blanks(&c)) {
		const char *name = c.at, *value;
		bool found;

		skip_name(&c, false);
		found = (size_t)(c.at - name) == len &&
			memcmp(name, label, len) == 0;
		skip_blanks(&c);
		take(&c, '=');
		skip_blanks(&c);
		value = c.at + 1;
		if (!skip_value(&c))
			break;
		if (found) {
			unescape(value, c.at - 1, ret, size);
			return true;
		}
		skip_blanks(&c);
		take(&c, ',');
	}
	*ret = '\0';
	return false;
}
