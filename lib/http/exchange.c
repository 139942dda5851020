#include "http/exchange.h"

#include <stdlib.h>

#include "base/clock.h"

struct exchange *
exchange_begin(
    struct exchanges *q, struct conn *c, const struct exchange_ctx *ctx)
{
	struct exchange *x = calloc(1, sizeof *x + ctx->size);

	if (x == NULL)
		return NULL;
	x->ctx = x + 1;
	x->ctx_end = ctx->end;
	x->conn = c;
	x->began_us = clock_us();
	if (q->last == NULL)
		q->first = x;
	else
		q->last->next = x;
	q->last = q->reading = x;
	q->n++;
	return x;
}

void
exchange_forget(struct exchanges *q)
{
	struct exchange **at = &q->first, *before = NULL;

	if (q->reading == NULL)
		return;
	for (; *at != q->reading; at = &(*at)->next)
		before = *at;
	*at = NULL;
	q->last = before;
	q->n--;
	q->reading->conn = NULL;
	if (q->reading->pending == 0)
		exchange_free(q->reading);
	q->reading = NULL;
}

int
exchange_collect(
    struct exchanges *q, struct buf *out, bool closing, bool *ret_last)
{
	struct exchange *x;

	*ret_last = false;
	while ((x = q->first) != NULL && x->answered && x->whole) {
		bool last = x->close || (closing && x->next == NULL);

		if (response_add(out, &x->answer, last, x->head_only) < 0)
			return -1;
		*ret_last = *ret_last || last;
		q->first = x->next;
		if (q->first == NULL)
			q->last = NULL;
		q->n--;
		exchange_free(x);
	}
	return 0;
}

void
exchange_leave(struct exchanges *q)
{
	struct exchange *x, *next;

	for (x = q->first; x != NULL; x = next) {
		next = x->next;
		x->conn = NULL;
		if (x->pending == 0)
			exchange_free(x);
	}
	*q = (struct exchanges){0};
}

void
exchange_free(struct exchange *x)
{
	x->ctx_end(x->ctx);
	free(x->answer.text);
	free(x);
}
