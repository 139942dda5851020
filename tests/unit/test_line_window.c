/* Lines from input to verdict: their order, states and counts. */
#include "check.h"
#include "send/line_window.h"

#define KEY "6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11"
#define INCREMENT(value) "{\"key\":\"" KEY "\",\"value\":" value "}"
#define ERROR "{\"error\":{\"code\":\"too-long\",\"detail\":\"x\",\"line\":9}}"

static void
add(struct line_window *w, const char *text)
{
	static uint64_t number;

	if (w->end == 0)
		number = 0;
	check(line_window_add(w, text, strlen(text), true, ++number) == 0, "%s",
	    text);
}

static void
check_out(struct line_window *w, size_t max, const char *due)
{
	struct buf out = {0};

	check(line_window_release(w, &out, max) == 0, "memory");
	check(out.len == strlen(due) &&
		  (out.len == 0 || memcmp(buf_ptr(&out), due, out.len) == 0),
	    "%s: %.*s", due, (int)out.len, out.len ? buf_ptr(&out) : "");
	buf_free(&out);
}

/* What a line is when it comes in. */
static void
test_add(void)
{
	struct line_window w;

	check(line_window_open(&w, 5) == 0, "memory");
	check(!line_window_waiting(&w) && line_window_next(&w) == NULL,
	    "nothing waits");
	add(&w, " {\"value\":3,\"key\":\"" KEY "\"} ");
	add(&w, "x");
	add(&w, ERROR);
	check(line_window_add(&w, INCREMENT("1"), 10, false, 4) == 0, "memory");
	check(!line_window_full(&w), "one place");
	add(&w, "");
	check(line_window_full(&w), "no place");
	check(line_window_at(&w, 0)->state == LINE_WINDOW_WAITING, "waits");
	check(line_window_at(&w, 0)->body_len == strlen(INCREMENT("3")) &&
		  memcmp(line_window_at(&w, 0)->body, INCREMENT("3"),
		      strlen(INCREMENT("3"))) == 0,
	    "is sent in canonical form");
	for (uint64_t i = 1; i < 5; i++)
		check(line_window_at(&w, i)->state == LINE_WINDOW_ANSWERED,
		    "answered: %d", (int)i);
	check(line_window_at(&w, 1)->fault == FAULT_NOT_JSON, "no JSON");
	check(line_window_at(&w, 3)->fault == FAULT_TOO_LONG, "too long");
	check(w.rejected == 4 && w.first_rejected == 2 &&
		  w.first_fault == FAULT_NOT_JSON && w.delivered == 0,
	    "counts");
	line_window_close(&w);
}

/* Verdicts leave in the order of the lines, as they came or as an error. */
static void
test_order(void)
{
	struct line_window_line *first, *second;
	struct line_window w;

	check(line_window_open(&w, 3) == 0, "memory");
	add(&w, " " INCREMENT("1"));
	add(&w, INCREMENT("2"));
	add(&w, ERROR);
	first = line_window_next(&w);
	check(
	    first == line_window_at(&w, 0) && first->state == LINE_WINDOW_ASKED,
	    "the first is asked");
	second = line_window_next(&w);
	check(second == line_window_at(&w, 1) && !line_window_waiting(&w),
	    "then the second, and none");
	line_window_settle(&w, second, FAULT_UNKNOWN);
	check(!line_window_has_verdict(&w), "the first has none");
	check_out(&w, 1000, "");
	line_window_settle(&w, first, FAULT_NONE);
	check_out(&w, 1, " " INCREMENT("1") "\n");
	check(w.first == 1, "as much as was asked for");
	add(&w, INCREMENT("4"));
	check(line_window_next(&w) == line_window_at(&w, 3), "place 0 again");
	check_out(&w, 1000,
	    "{\"error\":{\"code\":\"unknown\",\"detail\":\"the queue did not "
	    "answer, the increment may have been counted\",\"line\":2}}\n" ERROR
	    "\n");
	check(w.first == 3 && w.next == 4, "the last one is asked");
	check(w.delivered == 1 && w.unknown == 1 && w.rejected == 1 &&
		  w.first_fault == FAULT_NONE && w.first_rejected == 3,
	    "counts");
	line_window_close(&w);
}

/* Only lines in no request are given up; doubt is about the others. */
static void
test_give_up(void)
{
	struct line_window_line *asked;
	struct line_window w;

	check(line_window_open(&w, 4) == 0, "memory");
	for (int i = 0; i < 2; i++)
		add(&w, INCREMENT("1"));
	add(&w, "x");
	add(&w, INCREMENT("2"));
	asked = line_window_next(&w);
	line_window_give_up(&w, NULL);
	check(asked->state == LINE_WINDOW_ASKED, "not the one in a request");
	check(!line_window_waiting(&w) && line_window_next(&w) == NULL,
	    "none waits");
	check(w.unavailable == 2 && w.rejected == 1 &&
		  line_window_at(&w, 3)->fault == FAULT_UNAVAILABLE,
	    "the others");
	check(line_window_doubt(asked) == FAULT_UNAVAILABLE, "not counted");
	asked->state = LINE_WINDOW_DOUBTFUL;
	check(line_window_doubt(asked) == FAULT_UNKNOWN, "may be counted");
	line_window_settle(&w, asked, line_window_doubt(asked));
	check(w.unknown == 1 && line_window_has_verdict(&w), "and settled");
	line_window_close(&w);
}

/* Lines that were answered and left before any was asked for. */
static void
test_answered_ones_leave(void)
{
	struct line_window w;

	check(line_window_open(&w, 2) == 0, "memory");
	add(&w, "x");
	add(&w, "y");
	check(w.next == 0, "none was asked");
	check_out(&w, 1000,
	    "{\"error\":{\"code\":\"not-json\",\"detail\":\"the line must be "
	    "one JSON text\",\"line\":1}}\n"
	    "{\"error\":{\"code\":\"not-json\",\"detail\":\"the line must be "
	    "one JSON text\",\"line\":2}}\n");
	add(&w, INCREMENT("1"));
	check(line_window_next(&w) == line_window_at(&w, 2) && w.next == 3,
	    "the third");
	line_window_close(&w);
}

int
main(void)
{
	test_add();
	test_order();
	test_give_up();
	test_answered_ones_leave();
	return check_end();
}
