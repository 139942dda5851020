/* What becomes of the lines of a request of many. */
#include "check.h"
#include "serve/bulk_request.h"

#include <stdlib.h>

static struct bulk_places places;
static const struct ratelimit_key nobody;

static const struct {
	const char *what, *body;
	const char
	    *verdicts; /* + taken, j not-json, u unknown, . unavailable */
	uint16_t cut, status;
	const char *text; /* codes of error lines, or what was taken */
} cases[] = {
    {"all", "a\nb\n", "++", 0, 202, "a\nb\n"},
    {"without a last newline", "a\nb", "++", 0, 202, "a\nb\n"},
    {"some", "a\nb\nc\n", "+j+", 0, 207, "a\nnot-json 2\nc\n"},
    {"none, two reasons", "a\nb\n", "ju", 0, 207, "not-json 1\nunknown 2\n"},
    {"none, one reason", "a\nb\n", "jj", 0, 400, "not-json"},
    {"the queue is away", "a\nb\n", "..", 0, 503, "unavailable"},
    {"unknown", "a\nb\n", "uu", 0, 504, "unknown"},
    {"no line", "", "", 0, 400, "faulty-request"},
    {"a blank line", "\n", "+", 0, 202, "\n"},
    {"cut before the first line", "abc", "", 408, 408, "cut"},
    {"cut behind lines", "a\nb", "+", 408, 207, "a\nunavailable 2\n"},
    {"cut, too long", "a\nb\nc", "++", 413, 207, "a\nb\ntoo-long 3\n"},
    {"cut, all bad", "a\nb\n", "jj", 413, 207,
	"not-json 1\nnot-json 2\ntoo-long 3\n"},
};

/* Lines are taken as soon as they are whole. */
static size_t
take_all(struct bulk_request *b)
{
	const char *line;
	size_t len, n = 0;

	while (bulk_request_next(b, &line, &len) < LINES_MORE) {
		check(bulk_request_take(b, line, len) > 0, "memory");
		n++;
	}
	return n;
}

static enum fault
fault_of(char verdict)
{
	switch (verdict) {
	case '+': return FAULT_NONE;
	case 'j': return FAULT_NOT_JSON;
	case '.': return FAULT_UNAVAILABLE;
	}
	return FAULT_UNKNOWN;
}

/* In the form of the table. */
static void
show(const struct response *a, char *ret, size_t size)
{
	size_t at = 0;

	if (a->text == NULL) {
		snprintf(ret, size, "%s", a->code);
		return;
	}
	*ret = '\0';
	for (const char *p = a->text; p < a->text + a->text_len;) {
		size_t len = (size_t)((const char *)memchr(p, '\n',
					  (size_t)(a->text + a->text_len - p)) -
				      p);
		char code[64];
		unsigned line;

		if (sscanf(p, "{\"error\":{\"code\":\"%63[^\"]", code) == 1 &&
		    sscanf(memmem(p, len, "\"line\":", 7), "\"line\":%u",
			&line) == 1)
			at += (size_t)snprintf(
			    ret + at, size - at, "%s %u\n", code, line);
		else
			at += (size_t)snprintf(
			    ret + at, size - at, "%.*s\n", (int)len, p);
		p += len + 1;
	}
}

static void
test_cases(void)
{
	for (size_t i = 0; i < check_n(cases); i++) {
		struct bulk_request *b =
		    bulk_request_new(NULL, &places, &nobody);
		size_t n = 0, len = strlen(cases[i].body);
		struct response a;
		char text[256];

		for (size_t at = 0; at < len; at++) {
			check(bulk_request_feed(b, cases[i].body + at, 1) == 0,
			    "feed");
			n += take_all(b);
			check(!bulk_request_ended(b), "more may come");
		}
		if (cases[i].cut != 0)
			bulk_request_cut(
			    b, &(struct response){
				   .status = cases[i].cut, .code = "cut"});
		else
			bulk_request_end(b);
		n += take_all(b);
		check(bulk_request_ended(b), "%s", cases[i].what);
		check(n == strlen(cases[i].verdicts) &&
			  bulk_request_lines(b) == n,
		    "%s: %zu", cases[i].what, n);
		for (uint32_t line = 1; line <= n; line++)
			if (cases[i].verdicts[line - 1] != 'u')
				bulk_request_settle(b, line,
				    fault_of(cases[i].verdicts[line - 1]),
				    cases[i].body + 2 * (line - 1),
				    cases[i].body[0] != '\n');
		a = bulk_request_answer(b);
		show(&a, text, sizeof text);
		check(a.status == cases[i].status, "%s: %u", cases[i].what,
		    a.status);
		check(strcmp(text, cases[i].text) == 0, "%s: %s", cases[i].what,
		    text);
		free(a.text);
		bulk_request_free(b);
	}
	check(places.taken == 0, "they had no places");
}

/* Too long is known before the end of the line, and said once. */
static void
test_too_long(void)
{
	struct bulk_request *b = bulk_request_new(NULL, &places, &nobody);
	char text[LINES_JSON_MAX + 1];
	const char *line;
	size_t len;

	memset(text, 'x', sizeof text);
	check(bulk_request_feed(b, text, LINES_JSON_MAX) == 0, "feed");
	check(bulk_request_next(b, &line, &len) == LINES_MORE, "it fits");
	check(bulk_request_feed(b, text, sizeof text) == 0, "feed");
	check(bulk_request_next(b, &line, &len) == LINES_TOO_LONG, "too long");
	check(bulk_request_feed(b, text, sizeof text) == 0, "feed");
	check(bulk_request_next(b, &line, &len) == LINES_MORE, "its rest");
	check(b->in.in.len == 0, "nothing of it is kept");
	check(bulk_request_feed(b, "\na\n", 3) == 0, "feed");
	check(bulk_request_next(b, &line, &len) == LINES_LINE && len == 1,
	    "the next");
	bulk_request_end(b);
	check(bulk_request_next(b, &line, &len) == LINES_END, "the end");
	bulk_request_free(b);
}

/* The first of many is the longest that there may be. */
static void
test_room(void)
{
	struct bulk_request *b = bulk_request_new(NULL, &places, &nobody);
	char text[LINES_JSON_MAX];

	memset(text, 'x', sizeof text);
	for (int i = 0; i < BULK_REQUEST_LINES; i++)
		check(bulk_request_take(b, "x", 1) > 0, "memory");
	bulk_request_settle(b, 1, FAULT_NONE, text, sizeof text);
	check(b->texts.len == sizeof text + 1, "%zu", b->texts.len);
	check(b->texts.cap <= BULK_REQUEST_BYTES, "%zu", b->texts.cap);
	bulk_request_free(b);
}

int
main(void)
{
	test_cases();
	test_too_long();
	test_room();
	return check_end();
}
