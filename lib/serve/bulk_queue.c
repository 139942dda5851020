/* The requests of many lines take turns to send their lines. */
#include "serve/bulk_queue.h"

#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "serve/bulk_request.h"
#include "serve/request.h"

enum { PACE_MS = 50 }; /* between two looks at a rate that is used up */

enum pumped {
	PUMPED_ALL,    /* no line is left for now */
	PUMPED_SOME,   /* there are more, which have to wait */
	PUMPED_UNPAID, /* the same, for the rate */
	PUMPED_STOP    /* no more is taken of it */
};

static bool has_place(
    struct bulk_queue *q, struct bulk_request *b, struct response *ret_why);
static enum decision count(struct bulk_queue *q, struct exchange *x,
    const char *p, size_t len, struct response *ret_answer);
static bool pay_all(
    struct bulk_queue *q, struct exchange *x, struct response *ret_why);
static enum decision advance(struct bulk_queue *q, struct exchange *x,
    size_t turn, struct response *ret_answer);
static enum pumped pump_paid(struct bulk_queue *q, struct exchange *x,
    size_t turn, struct response *ret_why);
static enum pumped pump(struct bulk_queue *q, struct exchange *x, size_t turn,
    struct response *ret_why);
static bool has_room(const struct bulk_queue *q);
static bool may_add(const struct bulk_queue *q, const struct exchange *x);
static int add(struct bulk_queue *q, struct exchange *x, const char *line,
    size_t len, struct response *ret_why);
static void hold(struct bulk_request *b, struct timerlist *in, int64_t ms);
static void release(struct bulk_request *b);
static enum decision finish(
    const struct exchange *x, struct response *ret_answer);
static struct bulk_request *first_of(const struct timerlist *l);
static struct exchange *next_paced(struct bulk_queue *q);

int
bulk_queue_open(struct bulk_queue *q, const struct bulk_queue_options *o,
    struct backend *backend, struct access *access)
{
	*q = (struct bulk_queue){
	    .set = *o, .backend = backend, .access = access};
	return bulk_places_open(&q->places, o->max);
}

void
bulk_queue_close(struct bulk_queue *q)
{
	bulk_places_close(&q->places);
}

int
bulk_queue_begin(struct bulk_queue *q, struct exchange *x, bool chunked)
{
	struct client *client = &request_of(x)->client;
	struct bulk_request *b = bulk_request_new(x, &q->places, &client->who);

	if (b == NULL)
		return -1;
	if (access_limits(client))
		b->rate = chunked ? BULK_RATE_PACED : BULK_RATE_COUNTED;
	request_of(x)->bulk = b;
	x->in_pieces = true;
	return 0;
}

enum decision
bulk_queue_data(struct bulk_queue *q, struct exchange *x, const char *p,
    size_t len, struct response *ret_answer)
{
	struct bulk_request *b = request_of(x)->bulk;

	if (bulk_request_feed(b, p, len) < 0) {
		*ret_answer = response_fault(FAULT_UNAVAILABLE);
		return DECISION_CUT;
	}
	if (!has_place(q, b, ret_answer))
		return DECISION_CUT;
	if (b->rate == BULK_RATE_COUNTED)
		return count(q, x, p, len, ret_answer);
	return advance(
	    q, x, q->waiting.n == 0 ? SIZE_MAX : BULK_QUEUE_TURN, ret_answer);
}

enum decision
bulk_queue_end(
    struct bulk_queue *q, struct exchange *x, struct response *ret_answer)
{
	bulk_request_end(request_of(x)->bulk);
	if (!has_place(q, request_of(x)->bulk, ret_answer) ||
	    !pay_all(q, x, ret_answer))
		return bulk_queue_cut(x, ret_answer);
	return advance(
	    q, x, q->waiting.n == 0 ? SIZE_MAX : BULK_QUEUE_TURN, ret_answer);
}

/* Until its first line is whole, a request holds no more memory than that of
 * a single increment.  False: *ret_why says why there is no place for it. */
static bool
has_place(
    struct bulk_queue *q, struct bulk_request *b, struct response *ret_why)
{
	const char *why = NULL;

	if (b->placed || !bulk_request_began(b))
		return true;
	switch (bulk_places_take(&q->places, &b->client)) {
	case BULK_PLACES_TAKEN: b->placed = true; return true;
	case BULK_PLACES_FULL:
		why = "too many requests of many lines (--max-batches)";
		break;
	case BULK_PLACES_SHARED:
		why = "one client has its share of --max-batches";
		break;
	}
	*ret_why = response_fault(FAULT_UNAVAILABLE);
	ret_why->why = why;
	return false;
}

/* More lines than the client may send are refused before all are there. */
static enum decision
count(struct bulk_queue *q, struct exchange *x, const char *p, size_t len,
    struct response *ret_answer)
{
	struct bulk_request *b = request_of(x)->bulk;
	const struct client *client = &request_of(x)->client;
	const char *end = p + len;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		b->newlines++;
		p++;
	}
	if (b->newlines <= ratelimit_most(&client->limit))
		return DECISION_READ;
	(void)access_take_more(q->access, client, b->newlines, ret_answer);
	return DECISION_CUT;
}

/* For the lines behind the first one, that of the head.  False: none of them
 * may be sent. */
static bool
pay_all(struct bulk_queue *q, struct exchange *x, struct response *ret_why)
{
	struct bulk_request *b = request_of(x)->bulk;
	const struct buf *in = &b->in.in;
	uint32_t n = b->newlines;

	if (b->rate != BULK_RATE_COUNTED)
		return true;
	if (in->len > 0 && buf_ptr(in)[in->len - 1] != '\n')
		n++;
	/* The line behind the last that is taken ends the request. */
	n = (uint32_t)num_min(n, BULK_REQUEST_LINES);
	if (n > 1 && access_take_more(q->access, &request_of(x)->client, n - 1,
			 ret_why) == DECISION_ANSWER)
		return false;
	b->rate = BULK_RATE_PAID;
	return true;
}

enum decision
bulk_queue_cut(struct exchange *x, struct response *answer)
{
	bulk_request_cut(request_of(x)->bulk, answer);
	release(request_of(x)->bulk);
	return finish(x, answer);
}

/* What is in flight is still waited for. */
void
bulk_queue_leave(struct exchange *x)
{
	bulk_request_cut(
	    request_of(x)->bulk, &(struct response){.status = HTTP_504});
	release(request_of(x)->bulk);
}

enum decision
bulk_queue_verdict(struct bulk_queue *q, struct exchange *x,
    const struct backend_verdict *v, struct response *ret_answer)
{
	struct bulk_request *b = request_of(x)->bulk;

	q->in_flight--;
	bulk_request_settle(b, v->number, v->fault, v->text, v->len);
	/* The queue is away, and each line would wait for it as long. */
	if (v->fault == FAULT_UNAVAILABLE || v->fault == FAULT_UNKNOWN)
		b->failed = true;
	if (b->failed && b->waits != NULL)
		return advance(q, x, SIZE_MAX, ret_answer);
	return finish(x, ret_answer);
}

/* -- turns --------------------------------------------------------------- */

/* A round gives each one that waits a turn; another round follows if lines
 * were sent in it. */
struct exchange *
bulk_queue_next(struct bulk_queue *q, int64_t now_ms)
{
	if (q->paced.n > 0 &&
	    (timerlist_next(&q->paced) <= now_ms || backend_closed(q->backend)))
		return next_paced(q);
	if (q->waiting.n == 0) {
		q->in_round = false;
		return NULL;
	}
	if (timerlist_next(&q->waiting) <= now_ms ||
	    backend_closed(q->backend)) {
		first_of(&q->waiting)->failed = true;
		first_of(&q->waiting)->why =
		    backend_full(q->backend)
			? backend_why_full(q->backend)
			: "no turn to send lines in --verdict-timeout";
		return first_of(&q->waiting)->owner;
	}
	if (!q->in_round || (q->turns == 0 && q->added > 0)) {
		q->in_round = true;
		q->turns = q->waiting.n;
		q->added = 0;
	}
	if (q->turns == 0 || !has_room(q)) {
		q->in_round = false;
		return NULL;
	}
	q->turns--;
	return first_of(&q->waiting)->owner;
}

static struct exchange *
next_paced(struct bulk_queue *q)
{
	struct bulk_request *b = first_of(&q->paced);

	if (backend_closed(q->backend)) {
		b->failed = true;
		b->why = backend_why_full(q->backend);
	}
	return b->owner;
}

enum decision
bulk_queue_advance(
    struct bulk_queue *q, struct exchange *x, struct response *ret_answer)
{
	return advance(q, x,
	    request_of(x)->bulk->failed ? SIZE_MAX : BULK_QUEUE_TURN,
	    ret_answer);
}

int64_t
bulk_queue_due(const struct bulk_queue *q)
{
	return num_min(timerlist_next(&q->waiting), timerlist_next(&q->paced));
}

static struct bulk_request *
first_of(const struct timerlist *l)
{
	return (struct bulk_request *)((char *)l->first -
				       offsetof(struct bulk_request, due));
}

/* The one place that moves a request on: its lines, then whether it has to
 * wait, then whether it is done. */
static enum decision
advance(struct bulk_queue *q, struct exchange *x, size_t turn,
    struct response *ret_answer)
{
	struct bulk_request *b = request_of(x)->bulk;
	enum pumped pumped = b->rate == BULK_RATE_PACED && !b->failed
				 ? pump_paid(q, x, turn, ret_answer)
				 : pump(q, x, turn, ret_answer);

	switch (pumped) {
	case PUMPED_ALL: release(b); break;
	case PUMPED_SOME: hold(b, &q->waiting, q->set.wait_ms); break;
	case PUMPED_UNPAID: hold(b, &q->paced, PACE_MS); break;
	case PUMPED_STOP:
		return x->whole ? bulk_queue_cut(x, ret_answer) : DECISION_CUT;
	}
	return finish(x, ret_answer);
}

/* As many lines as the rate allows; each is paid for, the first one with the
 * head. */
static enum pumped
pump_paid(struct bulk_queue *q, struct exchange *x, size_t turn,
    struct response *ret_why)
{
	struct bulk_request *b = request_of(x)->bulk;
	const struct client *client = &request_of(x)->client;
	uint32_t before = bulk_request_lines(b), sent;
	int64_t now_ms = clock_ms(), wait_ms;
	size_t most = access_left(q->access, client, &wait_ms);
	enum pumped pumped;

	most += before == 0;
	pumped = pump(q, x, turn < most ? turn : most, ret_why);
	sent = bulk_request_lines(b) - before;
	access_owe(q->access, client, sent - (before == 0 && sent > 0));
	if (pumped != PUMPED_SOME || sent < most)
		return pumped;
	if (b->held_to_ms == 0)
		b->held_to_ms = now_ms + q->set.pace_ms;
	(void)access_left(q->access, client, &wait_ms);
	if (now_ms + wait_ms <= b->held_to_ms)
		return PUMPED_UNPAID;
	*ret_why = access_refusal(q->access, client);
	return PUMPED_STOP;
}

static enum pumped
pump(struct bulk_queue *q, struct exchange *x, size_t turn,
    struct response *ret_why)
{
	struct bulk_request *b = request_of(x)->bulk;
	const char *line;
	size_t len;
	int added = 0;

	q->turn_ms = clock_ms(); /* once, for all lines of it */
	for (; may_add(q, x) && turn > 0; turn--) {
		switch (bulk_request_next(b, &line, &len)) {
		case LINES_MORE:
		case LINES_END: return PUMPED_ALL;
		case LINES_LINE: added = add(q, x, line, len, ret_why); break;
		case LINES_TOO_LONG: added = add(q, x, NULL, 0, ret_why); break;
		}
		if (added < 0)
			return PUMPED_STOP;
	}
	return bulk_request_ended(b) ? PUMPED_ALL : PUMPED_SOME;
}

static bool
has_room(const struct bulk_queue *q)
{
	return q->in_flight < q->set.max_lines / BULK_QUEUE_SHARE + 1 &&
	       !backend_full(q->backend) && !backend_crowded(q->backend);
}

static bool
may_add(const struct bulk_queue *q, const struct exchange *x)
{
	return request_of(x)->bulk->failed || backend_closed(q->backend) ||
	       (x->pending < BULK_QUEUE_WINDOW && has_room(q));
}

/* Sends a line (NULL: one that is too long), or settles it.  0, or -1 with
 * the reason why no more of the request is taken. */
static int
add(struct bulk_queue *q, struct exchange *x, const char *line, size_t len,
    struct response *ret_why)
{
	static const struct response too_many = {.status = HTTP_413,
	    .code = "too-long",
	    .detail = BULK_REQUEST_TOO_LONG};
	struct bulk_request *b = request_of(x)->bulk;
	uint32_t number;

	if (bulk_request_lines(b) == BULK_REQUEST_LINES) {
		*ret_why = too_many;
		return -1;
	}
	number = bulk_request_take(b, line, len);
	if (number == 0) {
		*ret_why = response_fault(FAULT_UNAVAILABLE);
		return -1;
	}
	if (line == NULL)
		bulk_request_settle(b, number, FAULT_TOO_LONG, NULL, 0);
	else if (b->failed)
		bulk_request_settle(b, number, FAULT_UNAVAILABLE, NULL, 0);
	else if (backend_add(q->backend, x, number, line, len, q->turn_ms) <
		 0) {
		b->failed = true;
		b->why = backend_why_full(q->backend);
		bulk_request_settle(b, number, FAULT_UNAVAILABLE, NULL, 0);
	} else {
		q->in_flight++;
		q->added++;
	}
	return 0;
}

/* Behind the others. */
static void
hold(struct bulk_request *b, struct timerlist *in, int64_t ms)
{
	release(b);
	timerlist_add(in, &b->due, clock_ms() + ms);
	b->waits = in;
}

static void
release(struct bulk_request *b)
{
	if (b->waits == NULL)
		return;
	timerlist_remove(b->waits, &b->due);
	b->waits = NULL;
}

/* ANSWER if all is known, else whether it is read on. */
static enum decision
finish(const struct exchange *x, struct response *ret_answer)
{
	struct bulk_request *b = request_of(x)->bulk;

	if (x->pending == 0 && bulk_request_ended(b)) {
		*ret_answer = bulk_request_answer(b);
		return DECISION_ANSWER;
	}
	return b->waits != NULL ? DECISION_HOLD : DECISION_READ;
}
