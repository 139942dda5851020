/* The queue of a connection's requests and answers. */
#include "http/exchange.h"

#include <stdlib.h>

#include "base/clock.h"
#include "http/handler.h"

static void drop_first(struct exchanges *q);
static void leave(struct exchange *x);

struct exchange *
exchange_begin(
    struct exchanges *q, struct conn *c, const struct handler *handler)
{
	struct exchange *x = calloc(1, sizeof *x + handler->ctx_size);

	if (x == NULL)
		return NULL;
	x->ctx = x + 1;
	x->handler = handler;
	x->conn = c;
	x->began_us = clock_us();
	if (q->last == NULL)
		q->first = x;
	else {
		q->last->next = x;
		x->number = q->last->number + 1;
	}
	q->last = x;
	return x;
}

void
exchange_answer(struct exchange *x, const struct response *a)
{
	if (x->answered) {
		free(a->text);
		return;
	}
	x->answered = true;
	x->answer = *a;
	x->answer.first_line = x->first_line;
	if (a->more == NULL)
		x->answer.more = x->more;
	if (a->code != NULL || a->status == HTTP_207) {
		traceparent_adopt(&x->trace);
		x->answer.trace = &x->trace;
	}
	if (x->handler->answered != NULL)
		x->handler->answered(x->handler->service, x);
}

void
exchange_forget(struct exchanges *q)
{
	struct exchange **at = &q->first, *before = NULL,
			*reading = exchange_reading(q);

	if (reading == NULL)
		return;
	for (; *at != reading; at = &(*at)->next)
		before = *at;
	*at = NULL;
	q->last = before;
	leave(reading);
}

int
exchange_collect(
    struct exchanges *q, struct buf *out, bool closing, bool *ret_last)
{
	struct exchange *x;

	*ret_last = false;
	while (exchange_ready(q)) {
		bool last;

		x = exchange_first(q);
		last = x->close || (closing && x->next == NULL);
		if (response_add(out, &x->answer, last, x->head_only) < 0)
			return -1;
		*ret_last = *ret_last || last;
		x->collected = true;
		free(x->answer.text);
		x->answer.text = NULL;
		if (x == q->first && !x->in_pieces)
			drop_first(q);
	}
	return 0;
}

static void
drop_first(struct exchanges *q)
{
	struct exchange *x = q->first;

	q->first = x->next;
	if (q->first == NULL)
		q->last = NULL;
	exchange_free(x);
}

void
exchange_sent(struct exchanges *q)
{
	while (q->first != NULL && q->first->collected)
		drop_first(q);
}

void
exchange_leave(struct exchanges *q)
{
	struct exchange *x, *next;

	for (x = q->first; x != NULL; x = next) {
		next = x->next;
		leave(x);
	}
	*q = (struct exchanges){0};
}

/* Lines that wait for verdicts keep it. */
static void
leave(struct exchange *x)
{
	x->conn = NULL;
	if (x->in_pieces && !x->answered)
		x->handler->left(x->handler->service, x);
	if (x->pending == 0)
		exchange_free(x);
}

void
exchange_free(struct exchange *x)
{
	if (x->handler->ctx_end != NULL)
		x->handler->ctx_end(x->ctx);
	free(x->answer.text);
	free(x);
}
