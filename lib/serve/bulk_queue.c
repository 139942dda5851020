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

static struct bulks_options set;
static struct due_list waiting;
static uint64_t in_flight;

static void advance(struct exchange *x, size_t turn);
static bool pump(struct exchange *x, size_t turn);
static bool has_room(void);
static bool may_add(const struct exchange *x);
static void add(
    struct exchange *x, const char *line, size_t len, bool too_long);
static void stop(struct exchange *x, const struct answer *a);
static void hold(struct exchange *x);
static void release(struct exchange *x);
static void finish(struct exchange *x);

void
bulks_use(const struct bulks_options *o)
{
	set = *o;
}

/* Answers that their clients do not read count like requests. */
int
bulks_begin(struct exchange *x)
{
	if (bulk_count() + conn_unsent_bytes() / BULK_BYTES >= set.max)
		return -1;
	request_of(x)->bulk = bulk_new(x);
	x->in_pieces = request_of(x)->bulk != NULL;
	return x->in_pieces ? 0 : -1;
}

void
bulks_data(struct exchange *x, const char *p, size_t len)
{
	struct answer no_memory = answer_fault(FAULT_UNAVAILABLE);

	if (bulk_feed(request_of(x)->bulk, p, len) < 0)
		conn_refuse(x, &no_memory);
	else
		advance(x, waiting.n == 0 ? SIZE_MAX : TURN);
}

void
bulks_end(struct exchange *x)
{
	bulk_end(request_of(x)->bulk);
	advance(x, waiting.n == 0 ? SIZE_MAX : TURN);
}

void
bulks_cut(struct exchange *x, const struct answer *a)
{
	bulk_cut(request_of(x)->bulk, a);
	release(x);
	finish(x);
}

void
bulks_leave(struct exchange *x)
{
	bulk_cut(request_of(x)->bulk, &(struct answer){.status = 504});
	release(x);
}

void
bulks_told(struct exchange *x, const struct relay_verdict *v)
{
	struct bulk *b = request_of(x)->bulk;

	in_flight--;
	bulk_settle(b, v->number, v->fault, v->text, v->len);
	/* The queue is away, and each line would wait for it as long. */
	if (v->fault == FAULT_UNAVAILABLE || v->fault == FAULT_UNKNOWN)
		b->failed = true;
	if (b->failed && b->waits)
		advance(x, SIZE_MAX);
	else
		finish(x);
}

int64_t
bulks_tick(int64_t now_ms)
{
	uint64_t before;
	size_t n;

	while (
	    due_next(&waiting) <= now_ms || (relay_closed() && waiting.n > 0)) {
		struct bulk *b = (struct bulk *)((char *)waiting.first -
						 offsetof(struct bulk, due));

		b->failed = true;
		advance(b->owner, SIZE_MAX);
	}
	do {
		before = in_flight;
		for (n = waiting.n; n > 0 && has_room(); n--) {
			struct bulk *b =
			    (struct bulk *)((char *)waiting.first -
					    offsetof(struct bulk, due));

			advance(b->owner, TURN);
		}
	} while (in_flight != before && has_room() && waiting.n > 0);
	return due_next(&waiting);
}

/* The one place that moves a request on: its lines, then whether it has to
 * wait, then whether it is done.  Who has to wait goes behind the others. */
static void
advance(struct exchange *x, size_t turn)
{
	uint32_t before = bulk_lines(request_of(x)->bulk), now;
	bool more = pump(x, turn);

	/* The first one was paid for at the head. */
	now = bulk_lines(request_of(x)->bulk);
	if (now > 1)
		gate_owe(x, now - (before > 0 ? before : 1));
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
		    bulk_next(request_of(x)->bulk, &line, &len);

		if (got == LINES_MORE || got == LINES_END)
			return false;
		add(x, line, len, got == LINES_TOO_LONG);
		if (request_of(x)->bulk->cut.status != 0)
			return false;
	}
	return !bulk_ended(request_of(x)->bulk);
}

static bool
has_room(void)
{
	return in_flight < set.max_lines / SHARE + 1 && !relay_full() &&
	       !relay_crowded();
}

static bool
may_add(const struct exchange *x)
{
	return request_of(x)->bulk->failed || relay_closed() ||
	       (x->pending < WINDOW && has_room());
}

static void
add(struct exchange *x, const char *line, size_t len, bool too_long)
{
	static const struct answer too_many = {.status = 413,
	    .code = "too-long",
	    .detail = "the body must not exceed 1 MiB and 10000 lines"};
	struct answer no_memory = answer_fault(FAULT_UNAVAILABLE);
	struct bulk *b = request_of(x)->bulk;
	uint32_t number =
	    bulk_lines(b) == BULK_LINES ? BULK_LINES + 1 : bulk_take(b);

	if (number > BULK_LINES)
		stop(x, &too_many);
	else if (number == 0)
		stop(x, &no_memory);
	else if (too_long)
		bulk_settle(b, number, FAULT_TOO_LONG, NULL, 0);
	else if (b->failed || relay_add(x, number, line, len) < 0)
		bulk_settle(b, number, FAULT_UNAVAILABLE, NULL, 0);
	else
		in_flight++;
}

/* Nothing more of it is taken, and nothing more read if it is not whole. */
static void
stop(struct exchange *x, const struct answer *a)
{
	if (x->whole)
		bulks_cut(x, a);
	else
		conn_refuse(x, a);
}

static void
hold(struct exchange *x)
{
	struct bulk *b = request_of(x)->bulk;

	if (b->waits)
		due_remove(&waiting, &b->due);
	due_add(&waiting, &b->due, tick_ms() + set.wait_ms);
	b->waits = true;
	if (!x->whole)
		conn_hold(x);
}

static void
release(struct exchange *x)
{
	struct bulk *b = request_of(x)->bulk;

	if (!b->waits)
		return;
	due_remove(&waiting, &b->due);
	b->waits = false;
	if (!x->whole)
		conn_go_on(x);
}

/* Answers it if all is known.  x may be gone afterwards. */
static void
finish(struct exchange *x)
{
	struct answer a;

	if (x->answered || x->pending > 0 || !bulk_ended(request_of(x)->bulk))
		return;
	a = bulk_answer(request_of(x)->bulk);
	conn_answer(x, &a);
}
