/*
 * Answers of several sources: in order, whole lines only, round the end of the
 * ring.
 */
#include <stdlib.h>

#include "check.h"
#include "publish/answer_order.h"

enum { SOURCES = 3, CAP = 8 };

static struct buf sources[SOURCES];

static struct buf *
source(void *ctx, uint16_t i)
{
	(void)ctx;
	return &sources[i];
}

/* Moves what can go, and checks that it is this. */
static void
check_moved(struct answer_order *o, const char *expected)
{
	struct buf out = {0};

	check(answer_order_move(o, source, NULL, &out) == 0, "moved");
	check(
	    out.len == strlen(expected) &&
		(out.len == 0 || memcmp(buf_ptr(&out), expected, out.len) == 0),
	    "%.*s, not %s", (int)out.len, out.len == 0 ? "" : buf_ptr(&out),
	    expected);
	buf_free(&out);
}

static void
say(int i, const char *text)
{
	check(buf_add(&sources[i], text, strlen(text)) == 0, "%s", text);
}

int
main(void)
{
	struct answer_order o;
	uint16_t lines[] = {0, 1, 0, 2, 1};

	check(answer_order_open(&o, CAP) == 0, "open");
	for (size_t i = 0; i < check_n(lines); i++)
		answer_order_add(&o, lines[i]);
	say(2, "c\n");
	say(1, "b1\nb2\n");
	check_moved(&o, "");
	say(0, "a1");
	check_moved(&o, "");
	say(0, "\na");
	check_moved(&o, "a1\nb1\n");
	check(o.n == 3, "%zu wait", o.n);
	say(0, "2\n");
	check_moved(&o, "a2\nc\nb2\n");
	check(o.n == 0, "%zu wait", o.n);

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < CAP; i++)
			answer_order_add(&o, (uint16_t)(i % 2));
		say(1, "1\n1\n1\n1\n");
		check_moved(&o, "");
		say(0, "0\n0\n0\n");
		check_moved(&o, "0\n1\n0\n1\n0\n1\n");
		say(0, "0\n");
		check_moved(&o, "0\n1\n");
	}
	for (int i = 0; i < SOURCES; i++)
		buf_free(&sources[i]);
	answer_order_close(&o);
	return check_end();
}
