/* Chooses the next request to send, and counts requests by their state. */
#include "send/request_pool.h"

#include <stdlib.h>

static struct send_request *
find(const struct request_pool *p, enum send_request_state state)
{
	for (size_t i = 0; i < p->size; i++)
		if (p->requests[i].state == state)
			return &p->requests[i];
	return NULL;
}

int
request_pool_open(struct request_pool *p, size_t size)
{
	*p = (struct request_pool){.size = size};
	p->requests = calloc(size, sizeof *p->requests);
	return p->requests == NULL ? -1 : 0;
}

void
request_pool_close(struct request_pool *p)
{
	for (size_t i = 0; i < p->size; i++)
		buf_free(&p->requests[i].body);
	free(p->requests);
}

int
request_pool_next(struct request_pool *p, struct line_window *w, size_t limit,
    struct send_request **ret)
{
	struct send_request *r;

	if (p->asked >= limit)
		return 0;
	if (p->repeats > 0) {
		*ret = find(p, SEND_REQUEST_REPEAT);
		return 1;
	}
	if (!line_window_waiting(w) || (r = find(p, SEND_REQUEST_FREE)) == NULL)
		return 0;
	if (send_request_fill(r, w, p->batch, &p->keys) < 0)
		return -1;
	*ret = r;
	return 1;
}

void
request_pool_sent(
    struct request_pool *p, struct send_request *r, int64_t now_us)
{
	p->repeats -= r->state == SEND_REQUEST_REPEAT;
	p->asked++;
	send_request_sent(r, now_us);
}

int64_t
request_pool_learn(struct request_pool *p, struct send_request *r,
    struct line_window *w, const struct http_verdict *v)
{
	int64_t left = send_request_learn(r, w, v);

	p->asked--;
	if (left == 0 && send_request_go_on(r, w, &p->keys) < 0)
		return -1;
	p->repeats += r->state == SEND_REQUEST_REPEAT;
	return left;
}

int
request_pool_shorten(
    struct request_pool *p, struct send_request *r, struct line_window *w)
{
	size_t half = r->n / 2;

	if (half < REQUEST_POOL_LEAST)
		half = REQUEST_POOL_LEAST;
	if (half < p->batch)
		p->batch = half;
	return send_request_shorten(r, w, half, &p->keys);
}

void
request_pool_give_up(
    struct request_pool *p, struct send_request *r, struct line_window *w)
{
	p->repeats -= r->state == SEND_REQUEST_REPEAT;
	send_request_give_up(r, w);
}

void
request_pool_give_up_all(struct request_pool *p, struct line_window *w)
{
	while (p->repeats > 0)
		request_pool_give_up(p, find(p, SEND_REQUEST_REPEAT), w);
}
