#include "serve/bulk_queue.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/timerlist.h"
#include "serve/access.h"
#include "serve/bulk_request.h"
#include "serve/request.h"

enum {
	WINDOW = 1024, /* lines of one request in flight */
	TURN = 64,     /* lines, then it is another's turn */
	SHARE = 4      /* one in so many of all lines in flight */
};

static struct bulk_queue_options set;
static struct timerlist waiting;
static uint64_t in_flight;

static void advance(struct exchange *x, size_t turn);
static bool pump(struct exchange *x, size_t turn);
static bool has_room(void);
static bool may_add(const struct exchange *x);
static void add(
    struct exchange *x, const char *line, size_t len, bool too_long);
static void stop(struct exchange *x, const struct response *a);
static void hold(struct exchange *x);
static void release(struct exchange *x);
static void finish(struct exchange *x);

void
bulk_queue_use(const struct bulk_queue_options *o)
{
	set = *o;
}

/* Answers that their clients do not read count like requests. */
int
bulk_queue_begin(struct exchange *x)
{
	if (bulk_request_count() + conn_unsent_bytes() / BULK_REQUEST_BYTES >=
	    set.max)
		return -1;
	request_of(x)->bulk = bulk_request_new(x);
	x->in_pieces = request_of(x)->bulk != NULL;
	return x->in_pieces ? 0 : -1;
}

void
bulk_queue_data(struct exchange *x, const char *p, size_t len)
{
	struct response no_memory = response_fault(FAULT_UNAVAILABLE);

	if (bulk_request_feed(request_of(x)->bulk, p, len) < 0)
		conn_refuse(x, &no_memory);
	else
		advance(x, waiting.n == 0 ? SIZE_MAX : TURN);
}

void
bulk_queue_end(struct exchange *x)
{
	bulk_request_end(request_of(x)->bulk);
	advance(x, waiting.n == 0 ? SIZE_MAX : TURN);
}

void
bulk_queue_cut(struct exchange *x, const struct response *a)
{
	bulk_request_cut(request_of(x)->bulk, a);
	release(x);
	finish(x);
}

void
bulk_queue_leave(struct exchange *x)
{
	bulk_request_cut(
	    request_of(x)->bulk, &(struct response){.status = HTTP_504});
	release(x);
}

void
bulk_queue_told(struct exchange *x, const struct backend_verdict *v)
{
	struct bulk_request *b = request_of(x)->bulk;

	in_flight--;
	bulk_request_settle(b, v->number, v->fault, v->text, v->len);
	/* The queue is away, and each line would wait for it as long. */
	if (v->fault == FAULT_UNAVAILABLE || v->fault == FAULT_UNKNOWN)
		b->failed = true;
	if (b->failed && b->waits)
		advance(x, SIZE_MAX);
	else
		finish(x);
}

int64_t
bulk_queue_tick(int64_t now_ms)
{
	uint64_t before;
	size_t n;

	while (timerlist_next(&waiting) <= now_ms ||
	       (backend_closed() && waiting.n > 0)) {
		struct bulk_request *b =
		    (struct bulk_request *)((char *)waiting.first -
					    offsetof(struct bulk_request, due));

		b->failed = true;
		advance(b->owner, SIZE_MAX);
	}
	do {
		before = in_flight;
		for (n = waiting.n; n > 0 && has_room(); n--) {
			struct bulk_request *b =
			    (struct bulk_request *)((char *)waiting.first -
						    offsetof(
							struct bulk_request,
							due));

			advance(b->owner, TURN);
		}
	} while (in_flight != before && has_room() && waiting.n > 0);
	return timerlist_next(&waiting);
}

/* The one place that moves a request on: its lines, then whether it has to
 * wait, then whether it is done.  Who has to wait goes behind the others. */
static void
advance(struct exchange *x, size_t turn)
{
	uint32_t before = bulk_request_lines(request_of(x)->bulk), now;
	bool more = pump(x, turn);

	/* The first one was paid for at the head. */
	now = bulk_request_lines(request_of(x)->bulk);
	if (now > 1)
		access_owe(x, now - (before > 0 ? before : 1));
	if (x->answered)
		return;
	if (more)
		hold(x);
	else
		release(x);
	finish(x);
}

/* Hands on lines; true if there are more. */
static bool
pump(struct exchange *x, size_t turn)
{
	const char *line;
	size_t len;

	for (; may_add(x) && turn > 0; turn--) {
		enum lines_result got =
		    bulk_request_next(request_of(x)->bulk, &line, &len);

		if (got == LINES_MORE || got == LINES_END)
			return false;
		add(x, line, len, got == LINES_TOO_LONG);
		if (request_of(x)->bulk->cut.status != 0)
			return false;
	}
	return !bulk_request_ended(request_of(x)->bulk);
}

static bool
has_room(void)
{
	return in_flight < set.max_lines / SHARE + 1 && !backend_full() &&
	       !backend_crowded();
}

static bool
may_add(const struct exchange *x)
{
	return request_of(x)->bulk->failed || backend_closed() ||
	       (x->pending < WINDOW && has_room());
}

static void
add(struct exchange *x, const char *line, size_t len, bool too_long)
{
	static const struct response too_many = {.status = HTTP_413,
	    .code = "too-long",
	    .detail = "the body must not exceed 1 MiB and 10000 lines"};
	struct response no_memory = response_fault(FAULT_UNAVAILABLE);
	struct bulk_request *b = request_of(x)->bulk;
	uint32_t number = bulk_request_lines(b) == BULK_REQUEST_LINES
			      ? BULK_REQUEST_LINES + 1
			      : bulk_request_take(b);

	if (number > BULK_REQUEST_LINES)
		stop(x, &too_many);
	else if (number == 0)
		stop(x, &no_memory);
	else if (too_long)
		bulk_request_settle(b, number, FAULT_TOO_LONG, NULL, 0);
	else if (b->failed || backend_add(x, number, line, len) < 0)
		bulk_request_settle(b, number, FAULT_UNAVAILABLE, NULL, 0);
	else
		in_flight++;
}

/* Nothing more of it is taken, and nothing more read if it is not whole. */
static void
stop(struct exchange *x, const struct response *a)
{
	if (x->whole)
		bulk_queue_cut(x, a);
	else
		conn_refuse(x, a);
}

static void
hold(struct exchange *x)
{
	struct bulk_request *b = request_of(x)->bulk;

	if (b->waits)
		timerlist_remove(&waiting, &b->due);
	timerlist_add(&waiting, &b->due, clock_ms() + set.wait_ms);
	b->waits = true;
	if (!x->whole)
		conn_hold(x);
}

static void
release(struct exchange *x)
{
	struct bulk_request *b = request_of(x)->bulk;

	if (!b->waits)
		return;
	timerlist_remove(&waiting, &b->due);
	b->waits = false;
	if (!x->whole)
		conn_go_on(x);
}

/* Answers it if all is known.  x may be gone afterwards. */
static void
finish(struct exchange *x)
{
	struct response a;

	if (x->answered || x->pending > 0 ||
	    !bulk_request_ended(request_of(x)->bulk))
		return;
	a = bulk_request_answer(request_of(x)->bulk);
	conn_answer(x, &a);
}
