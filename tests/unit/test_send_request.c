/* What an answer means for each line of a request, first and repeated. */
#include "check.h"
#include "send/send_request.h"

#include <stdlib.h>

enum { LINES = 4 };

static const struct send_request_keys plain = {.keyed = false},
				      keyed = {.keyed = true};
static char text[LINES + 1][INCREMENT_TEXT];

/* An answer of one line per character: + the increment, and errors: j
 * not-json, . unavailable, u unknown; - an error of another place, x another
 * increment, h half a line. */
static struct http_verdict
lines_of(const char *shape, char *buf, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; shape[i] != '\0'; i++) {
		const char *code = shape[i] == 'j' || shape[i] == '-'
				       ? "not-json"
				   : shape[i] == '.' ? "unavailable"
						     : "unknown";

		if (shape[i] == '+' || shape[i] == 'x' || shape[i] == 'h')
			at += (size_t)snprintf(buf + at, size - at, "%s%s",
			    text[shape[i] == 'x' ? LINES : i],
			    shape[i] == 'h' ? "" : "\n");
		else
			at += (size_t)snprintf(buf + at, size - at,
			    "{\"error\":{\"code\":\"%s\",\"detail\":\"\","
			    "\"line\":%zu}}\n",
			    code, shape[i] == '-' ? i + 2 : i + 1);
	}
	return (struct http_verdict){
	    .kind = HTTP_VERDICT_LINES, .text = buf, .len = at};
}

static const struct {
	const char *what;
	bool keyed;
	const char *answers[3]; /* shapes; or = and a code for all, then ! if
				 * it asks for a repeat */
	const char *verdicts;   /* in the end, if all is then given up */
	int64_t left;           /* behind the last answer */
	size_t body;            /* lines of the next body */
} cases[] = {
    {"all taken", true, {"=+"}, "++++", 0, 4},
    {"all refused", true, {"=j"}, "jjjj", 0, 4},
    {"some", true, {"+j+j"}, "+j+j", 0, 4},
    {"away", true, {"=.!"}, "....", 4, 4},
    {"a refusal of another kind", true, {"=."}, "....", 0, 4},
    {"in doubt", true, {"=u"}, "uuuu", 4, 4},
    {"in doubt, then taken", true, {"=u", "=+"}, "++++", 0, 4},
    {"in doubt, then away", true, {"=u", "=.!"}, "uuuu", 4, 4},
    {"in doubt, then refused", true, {"=u", "=."}, "uuuu", 0, 4},
    {"in doubt, then bad", true, {"=u", "+j++"}, "+j++", 0, 4},
    {"some away", true, {"+.+."}, "+.+.", 2, 4},
    {"some away, then taken", true, {"+.+.", "++++"}, "++++", 0, 4},
    {"some away, then in doubt", true, {"+.+u", "+u+."}, "+u+u", 2, 4},
    {"a verdict stays", true, {"+j..", "jj++"}, "+j++", 0, 4},
    {"too few lines", true, {"+j"}, "+juu", 2, 4},
    {"no lines", true, {""}, "uuuu", 4, 4},
    {"half a line", true, {"+++h"}, "+++u", 1, 4},
    {"not their place", true, {"+-+x"}, "+u+u", 2, 4},
    {"more lines than asked", true, {"++++j"}, "++++", 0, 4},
    {"no key, all taken", false, {"=+"}, "++++", 0, 4},
    {"no key, in doubt", false, {"=u"}, "uuuu", 0, 4},
    {"no key, away", false, {"=.!"}, "....", 4, 4},
    {"no key, some in doubt", false, {"+uj+"}, "+uj+", 0, 4},
    {"no key, only these again", false, {"+.u."}, "+.u.", 2, 2},
    {"no key, and then", false, {"+.u.", "+j"}, "++uj", 0, 2},
};

static enum fault
fault_of(char c)
{
	switch (c) {
	case '+': return FAULT_NONE;
	case 'j': return FAULT_NOT_JSON;
	case '.': return FAULT_UNAVAILABLE;
	}
	return FAULT_UNKNOWN;
}

static void
fill_window(struct line_window *w)
{
	check(line_window_open(w, LINES + 2) == 0, "memory");
	for (uint64_t i = 0; i < LINES; i++)
		check(line_window_add(
			  w, text[i], strlen(text[i]), true, i + 1) == 0,
		    "memory");
}

static size_t
count_lines(const struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += buf_ptr(b)[i] == '\n';
	return n;
}

static void
test_cases(void)
{
	for (size_t i = 0; i < check_n(cases); i++) {
		const char *what = cases[i].what, *shape;
		struct send_request r = {0};
		struct line_window w;
		int64_t left = 0;

		fill_window(&w);
		check(send_request_fill(
			  &r, &w, 10, cases[i].keyed ? &keyed : &plain) == 0 &&
			  r.n == LINES && !line_window_waiting(&w),
		    "%s", what);
		for (size_t k = 0; k < 3; k++) {
			char answer[1024];
			struct http_verdict a;

			shape = cases[i].answers[k];
			if (shape == NULL)
				break;
			if (*shape == '=')
				a = (struct http_verdict){
				    .kind = shape[2] == '!' ? HTTP_VERDICT_RETRY
							    : HTTP_VERDICT_ALL,
				    .fault = fault_of(shape[1])};
			else
				a = lines_of(shape, answer, sizeof answer);
			if (!cases[i].keyed && k == 1) /* what is line 1 now */
				memcpy(answer, text[1], strlen(text[1]));
			left = send_request_learn(&r, &w, &a);
		}
		check(left == cases[i].left, "%s: %d left", what, (int)left);
		check(count_lines(&r.body) == cases[i].body, "%s: %zu lines",
		    what, count_lines(&r.body));
		check(r.state ==
			  (left > 0 ? SEND_REQUEST_REPEAT : SEND_REQUEST_FREE),
		    "%s: state %d", what, (int)r.state);
		send_request_give_up(&r, &w);
		check(r.left == 0 && r.state == SEND_REQUEST_FREE, "%s", what);
		for (size_t l = 0; l < LINES; l++)
			check(line_window_at(&w, l)->fault ==
				  fault_of(cases[i].verdicts[l]),
			    "%s: line %zu", what, l + 1);
		buf_free(&r.body);
		line_window_close(&w);
	}
}

/* Lines at the front leave while others of their request are open, and new
 * ones take their place. */
static void
test_places_used_again(void)
{
	struct send_request first = {0}, second = {0};
	struct buf out = {0};
	struct line_window w;
	char answer[1024];
	struct http_verdict a = lines_of("++.+", answer, sizeof answer);

	fill_window(&w);
	check(send_request_fill(&first, &w, 10, &keyed) == 0, "memory");
	check(send_request_learn(&first, &w, &a) == 1, "one is open");
	check(line_window_release(&w, &out, 10000) == 0 && w.first == 2,
	    "two leave");
	for (uint64_t i = 5; i <= 8; i++)
		check(
		    line_window_add(&w, text[0], strlen(text[0]), true, i) == 0,
		    "memory");
	check(line_window_full(&w), "all places are taken");
	check(send_request_fill(&second, &w, 3, &keyed) == 0 && second.n == 3,
	    "three");
	check(line_window_waiting(&w), "one waits");
	check(strcmp(first.key, second.key) != 0, "keys differ");
	a = lines_of("++j+", answer, sizeof answer);
	check(send_request_learn(&first, &w, &a) == 0, "done");
	check(line_window_at(&w, 2)->fault == FAULT_NOT_JSON, "line 3");
	check(send_request_learn(&second, &w,
		  &(struct http_verdict){.fault = FAULT_UNKNOWN}) == 3,
	    "open");
	check(line_window_at(&w, 4)->state == LINE_WINDOW_DOUBTFUL, "in doubt");
	send_request_give_up(&second, &w);
	line_window_give_up(&w, NULL);
	check(!line_window_waiting(&w), "none waits");
	buf_clear(&out);
	check(line_window_release(&w, &out, 10000) == 0 && w.first == w.end,
	    "all");
	check(w.delivered == 3 && w.rejected == 1 && w.first_rejected == 3 &&
		  w.unknown == 3 && w.unavailable == 1,
	    "counts");
	buf_free(&out);
	buf_free(&first.body);
	buf_free(&second.body);
	line_window_close(&w);
}

/* With the key of the input, a gap in the numbers ends a request. */
static void
test_key_of_input(void)
{
	static const struct send_request_keys keys = {
	    .keyed = true, .input = "name"};
	static const struct {
		uint64_t first;
		size_t n;
	} want[] = {{1, 2}, {4, 1}, {7, 2}, {9, 1}};
	static const uint64_t numbers[] = {1, 2, 4, 7, 8, 9};
	struct send_request r = {0};
	struct line_window w;

	check(line_window_open(&w, 9) == 0, "memory");
	for (size_t i = 0; i < check_n(numbers); i++) {
		check(line_window_add(
			  &w, text[0], strlen(text[0]), true, numbers[i]) == 0,
		    "memory");
		if (numbers[i] == 4)
			check(line_window_add(&w, "x", 1, true, 5) == 0,
			    "memory");
	}
	for (size_t i = 0; i < check_n(want); i++) {
		check(send_request_fill(&r, &w, 2, &keys) == 0, "memory");
		check(r.first_number == want[i].first && r.n == want[i].n &&
			  strcmp(r.key, "name") == 0,
		    "%zu: %ju, %zu lines", i, (uintmax_t)r.first_number, r.n);
		send_request_give_up(&r, &w);
	}
	check(!line_window_waiting(&w) && w.unavailable == 6, "all");
	buf_free(&r.body);
	line_window_close(&w);
}

/* Lines that need no request are none of it. */
static void
test_answered_here(void)
{
	static const char error[] =
	    "{\"error\":{\"code\":\"not-json\",\"detail\":\"\",\"line\":7}}";
	struct send_request r = {0};
	struct buf out = {0};
	struct line_window w;

	check(line_window_open(&w, 9) == 0, "memory");
	check(line_window_add(&w, "x", 1, true, 1) == 0 &&
		  line_window_add(&w, text[0], strlen(text[0]), true, 2) == 0 &&
		  line_window_add(&w, error, strlen(error), true, 3) == 0 &&
		  line_window_add(&w, "y", 1, false, 4) == 0 &&
		  line_window_add(&w, text[1], strlen(text[1]), true, 5) == 0,
	    "memory");
	check(send_request_fill(&r, &w, 10, &keyed) == 0 && r.n == 2, "two");
	check(line_window_at(&w, 4)->place == 2, "the second");
	check(
	    send_request_learn(&r, &w, &(struct http_verdict){0}) == 0, "done");
	check(line_window_release(&w, &out, 10000) == 0 && w.first == 5, "all");
	check(w.rejected == 3 && w.first_fault == FAULT_NOT_JSON, "rejected");
	check(memmem(buf_ptr(&out), out.len, "too-long", 8) != NULL, "long");
	check(memmem(buf_ptr(&out), out.len, error, strlen(error)) != NULL,
	    "passed on");
	buf_free(&out);
	buf_free(&r.body);
	line_window_close(&w);
}

/* A doubtful line limits for how long its request is repeated. */
static void
test_repeats(void)
{
	static const struct http_verdict away = {
	    .kind = HTTP_VERDICT_RETRY, .fault = FAULT_UNAVAILABLE};
	static const struct http_verdict doubt = {.fault = FAULT_UNKNOWN};
	struct send_request r = {0};
	struct line_window w;
	char buf[1024];
	struct http_verdict three = lines_of("u+++", buf, sizeof buf);

	fill_window(&w);
	check(send_request_fill(&r, &w, 10, &keyed) == 0, "memory");
	check(r.state == SEND_REQUEST_READY, "ready");
	send_request_sent(&r, 77);
	check(r.state == SEND_REQUEST_ASKED && r.sent_us == 77, "asked");
	check(send_request_learn(&r, &w, &away) == 4, "away");
	check(send_request_may_repeat(&r, &w, 1000, 0), "not counted");
	check(send_request_learn(&r, &w, &doubt) == 4, "doubt");
	check(send_request_may_repeat(&r, &w, 2000, 500), "from then on");
	check(send_request_learn(&r, &w, &away) == 4, "away again");
	check(send_request_may_repeat(&r, &w, 2499, 500), "still");
	check(!send_request_may_repeat(&r, &w, 2500, 500), "too late");
	check(send_request_learn(&r, &w, &three) == 1, "one is left");
	check(!send_request_may_repeat(&r, &w, 2500, 500), "in doubt as ever");
	send_request_give_up(&r, &w);
	for (uint64_t i = 0; i < 4; i++)
		check(
		    (line_window_at(&w, i)->fault == FAULT_UNKNOWN) == (i == 0),
		    "line %d", (int)i);
	line_window_close(&w);
	/* A request filled later has time of its own. */
	fill_window(&w);
	check(send_request_fill(&r, &w, 10, &keyed) == 0, "memory");
	check(send_request_learn(&r, &w, &doubt) == 4, "doubt");
	check(send_request_may_repeat(&r, &w, 9000, 500), "anew");
	check(!send_request_may_repeat(&r, &w, 9500, 500), "and no longer");
	line_window_close(&w);
	/* Without doubt about any line there is no limit. */
	fill_window(&w);
	check(send_request_fill(&r, &w, 10, &keyed) == 0, "memory");
	three = lines_of("+++.", buf, sizeof buf);
	check(send_request_learn(&r, &w, &three) == 1, "one was not taken");
	check(send_request_may_repeat(&r, &w, 9000, 0), "no limit");
	check(send_request_may_repeat(&r, &w, 9999, 0), "none at all");
	line_window_close(&w);
	buf_free(&r.body);
}

/* Too many lines for the server: in pieces, under keys of their own. */
static void
test_shorten(void)
{
	static const struct send_request_keys input = {
	    .keyed = true, .input = "name"};
	static const struct http_verdict away = {
	    .kind = HTTP_VERDICT_RETRY, .fault = FAULT_UNAVAILABLE};
	static const struct http_verdict taken = {0},
					 doubt = {.fault = FAULT_UNKNOWN};
	const struct send_request_keys *keys[] = {&keyed, &plain, &input};

	for (size_t i = 0; i < check_n(keys); i++) {
		struct send_request r = {0};
		struct line_window w;
		char key[ID_TEXT + 1];
		size_t from = 0;

		fill_window(&w);
		check(send_request_fill(&r, &w, 10, keys[i]) == 0, "memory");
		memcpy(key, r.id, sizeof key);
		check(send_request_learn(&r, &w, &away) == 4, "away");
		check(send_request_shorten(&r, &w, 3, keys[i]) == 0, "memory");
		for (size_t n; from < 4; from += n) {
			check(r.state == SEND_REQUEST_REPEAT &&
				  r.n == (from == 0 ? 3 : 1) && r.left == r.n &&
				  count_lines(&r.body) == r.n,
			    "%zu: a piece of %zu", i, r.n);
			check(memcmp(buf_ptr(&r.body), text[from],
				  strlen(text[from])) == 0 &&
				  r.first_number == from + 1,
			    "from line %ju", (uintmax_t)r.first_number);
			check(i > 0 || strcmp(key, r.key) != 0, "another key");
			n = r.n;
			memcpy(key, r.id, sizeof key);
			check(send_request_learn(&r, &w, &taken) == 0, "taken");
			check(
			    send_request_go_on(&r, &w, keys[i]) == 0, "memory");
		}
		check(r.state == SEND_REQUEST_FREE && from == 4, "all");
		line_window_close(&w);

		/* What is in doubt keeps its key. */
		fill_window(&w);
		check(send_request_fill(&r, &w, 10, keys[i]) == 0, "memory");
		if (keys[i]->keyed) {
			check(send_request_learn(&r, &w, &doubt) == 4 &&
				  send_request_learn(&r, &w, &away) == 4,
			    "doubt");
			memcpy(key, r.id, sizeof key);
			check(send_request_shorten(&r, &w, 3, keys[i]) == 0 &&
				  r.n == 4 && strcmp(key, r.id) == 0,
			    "as it was");
			check(send_request_learn(&r, &w, &taken) == 0, "taken");
		}
		line_window_close(&w);

		/* The others are given up with it. */
		fill_window(&w);
		check(send_request_fill(&r, &w, 10, keys[i]) == 0, "memory");
		check(send_request_learn(&r, &w, &away) == 4, "away");
		check(send_request_shorten(&r, &w, 3, keys[i]) == 0, "memory");
		send_request_give_up(&r, &w);
		check(w.unavailable == 4 &&
			  send_request_go_on(&r, &w, keys[i]) == 0 &&
			  r.state == SEND_REQUEST_FREE,
		    "all");
		buf_free(&r.body);
		line_window_close(&w);
	}
}

int
main(void)
{
	for (int i = 0; i <= LINES; i++)
		snprintf(text[i], sizeof text[i],
		    "{\"key\":\"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11\","
		    "\"value\":%d}",
		    i + 1);
	test_cases();
	test_shorten();
	test_key_of_input();
	test_places_used_again();
	test_answered_here();
	test_repeats();
	return check_end();
}
