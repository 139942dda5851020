/* Which request goes next, and how many wait for what. */
#include "check.h"
#include "send/request_pool.h"

static const char line[] =
    "{\"key\":\"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11\",\"value\":1}";
static const struct http_verdict taken = {.kind = HTTP_VERDICT_ALL};
static const struct http_verdict away = {
    .kind = HTTP_VERDICT_RETRY, .fault = FAULT_UNAVAILABLE};

static void
open_all(struct request_pool *p, struct line_window *w, uint64_t lines)
{
	check(request_pool_open(p, 3) == 0 && line_window_open(w, 10) == 0,
	    "memory");
	p->batch = 2;
	p->keys.keyed = true;
	for (uint64_t i = 1; i <= lines; i++)
		check(line_window_add(w, line, strlen(line), true, i) == 0,
		    "memory");
}

static void
close_all(struct request_pool *p, struct line_window *w)
{
	request_pool_close(p);
	line_window_close(w);
}

/* Sends what is next. */
static struct send_request *
next(struct request_pool *p, struct line_window *w, size_t limit)
{
	struct send_request *r;

	if (request_pool_next(p, w, limit, &r) != 1)
		return NULL;
	request_pool_sent(p, r, 5);
	check(r->state == SEND_REQUEST_ASKED && r->sent_us == 5, "asked");
	return r;
}

static void
test_next(void)
{
	struct send_request *a, *b, *c;
	struct request_pool p;
	struct line_window w;

	open_all(&p, &w, 7);
	a = next(&p, &w, 3);
	b = next(&p, &w, 3);
	check(a != NULL && b != NULL && a != b && a->n == 2 && b->n == 2,
	    "two lines in each");
	check(a->keyed && strcmp(a->key, b->key) != 0, "and a key");
	check(next(&p, &w, 2) == NULL && p.asked == 2, "a limit is reached");
	c = next(&p, &w, 3);
	check(c != NULL && p.asked == 3, "the third");
	check(next(&p, &w, 3) == NULL, "no request is free");
	check(request_pool_learn(&p, a, &w, &away) == 2 && p.repeats == 1 &&
		  p.asked == 2,
	    "to be repeated");
	check(request_pool_learn(&p, b, &w, &taken) == 0 && p.repeats == 1 &&
		  p.asked == 1,
	    "done");
	check(next(&p, &w, 3) == a && p.repeats == 0 && p.asked == 2,
	    "a repeat goes before a line that waits");
	check(next(&p, &w, 3) == b && b->n == 1, "then the last line");
	check(request_pool_learn(&p, b, &w, &taken) == 0, "done");
	check(next(&p, &w, 3) == NULL && p.asked == 2, "nothing waits");
	close_all(&p, &w);
}

static void
test_give_up(void)
{
	struct send_request *r[3];
	struct request_pool p;
	struct line_window w;

	open_all(&p, &w, 6);
	for (int i = 0; i < 3; i++)
		r[i] = next(&p, &w, 3);
	for (int i = 0; i < 2; i++)
		check(request_pool_learn(&p, r[i], &w, &away) == 2, "away");
	request_pool_give_up(&p, r[0], &w);
	check(p.repeats == 1 && w.unavailable == 2 &&
		  r[0]->state == SEND_REQUEST_FREE,
	    "one of them");
	request_pool_give_up_all(&p, &w);
	check(p.repeats == 0 && w.unavailable == 4, "all of them");
	check(p.asked == 1 && r[2]->state == SEND_REQUEST_ASKED,
	    "but not one whose answer is awaited");
	close_all(&p, &w);
}

static void
test_shorten(void)
{
	struct send_request *r;
	struct request_pool p;
	struct line_window w;

	check(request_pool_open(&p, 2) == 0 && line_window_open(&w, 200) == 0,
	    "memory");
	p.batch = 100;
	for (uint64_t i = 1; i <= 200; i++)
		check(line_window_add(&w, line, strlen(line), true, i) == 0,
		    "memory");
	r = next(&p, &w, 2);
	check(request_pool_learn(&p, r, &w, &away) == 100, "away");
	check(request_pool_shorten(&p, r, &w) == 0 && p.batch == 50, "half");
	check(next(&p, &w, 2) == r && r->n == 50 && p.repeats == 0, "a piece");
	check(next(&p, &w, 2)->n == 50, "the next ones are as short");
	check(request_pool_learn(&p, r, &w, &taken) == 0 && p.repeats == 1,
	    "and the rest");
	check(next(&p, &w, 2) == r && r->n == 50, "of it");
	for (int i = 0; i < 4; i++) {
		check(request_pool_learn(&p, r, &w, &away) > 0, "away");
		check(request_pool_shorten(&p, r, &w) == 0, "memory");
		check(next(&p, &w, 2) == r, "again");
	}
	check(p.batch == REQUEST_POOL_LEAST && r->n == REQUEST_POOL_LEAST,
	    "no shorter");
	request_pool_learn(&p, r, &w, &away);
	request_pool_give_up_all(&p, &w);
	check(w.unavailable == 50 && p.repeats == 0, "the rest, too");
	close_all(&p, &w);
}

int
main(void)
{
	test_next();
	test_give_up();
	test_shorten();
	return check_end();
}
