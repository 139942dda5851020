#include "http/conn_input.h"

#include <string.h>

enum {
	PIPELINE_MAX = 64, /* requests of one connection without answer */
	DISCARD_MAX = 4096 /* bytes of body read after an early answer */
};

static void take_head(struct conn *c, const char *head);
static void take_data(struct conn *c, const char *p, size_t len);
static void take_end(struct conn *c);
static struct exchange *begin(struct conn *c);

size_t
conn_input_parse(struct conn *c, const char *p, size_t len)
{
	size_t used = 0, eaten;

	while (!c->deaf && !c->held && !conn_is_full(c)) {
		enum http_event e =
		    http_parser_step(&c->http, p + used, len - used, &eaten);

		switch (e) {
		case HTTP_MORE: return used;
		case HTTP_HEAD: take_head(c, p + used); break;
		case HTTP_DATA: take_data(c, p + used, eaten); break;
		case HTTP_FRAMING: break;
		case HTTP_END: take_end(c); break;
		case HTTP_FAULT:
			conn_input_refuse(
			    c, &(struct response){.status = c->http.status,
				   .code = "faulty-request",
				   .detail = c->http.why});
			break;
		}
		used += eaten;
	}
	return used;
}

static void
take_head(struct conn *c, const char *head)
{
	const struct http_request *r = &c->http.request;
	struct exchange *x = begin(c);
	struct response too_long = response_fault(FAULT_TOO_LONG);

	if (x == NULL)
		return;
	x->head_only = r->method == HTTP_METHOD_HEAD;
	x->close = !r->keep_alive;
	if (r->traceparent.len == TRACEPARENT_TEXT)
		memcpy(
		    x->trace.text, head + r->traceparent.at, TRACEPARENT_TEXT);
	c->fresh = true;
	conn_policy->head(x, r, head);
	/* The client does not know that this one is the last. */
	c->unread = c->unread || (x->close && r->keep_alive);
	if (x->answered)
		x->limit = r->expects ? 0 : DISCARD_MAX;
	if (r->length > x->limit || (x->answered && r->expects))
		conn_input_refuse(c, &too_long);
	else if (r->expects) {
		c->want_continue = true;
		conn_mark(c);
	}
}

static void
take_data(struct conn *c, const char *p, size_t len)
{
	struct exchange *x = c->asked.reading;
	struct response too_long = response_fault(FAULT_TOO_LONG);
	struct response no_memory = response_fault(FAULT_UNAVAILABLE);

	c->want_continue = false;
	x->seen += len;
	if (x->seen > x->limit)
		conn_input_refuse(c, &too_long);
	else if (x->in_pieces)
		conn_policy->data(x, p, len);
	else if (!x->answered && buf_add(&c->body, p, len) < 0)
		conn_input_refuse(c, &no_memory);
}

static void
take_end(struct conn *c)
{
	struct exchange *x = c->asked.reading;

	c->asked.reading = NULL;
	c->fresh = true;
	x->whole = true;
	c->deaf = x->close;
	if (x->answered)
		conn_mark(c);
	else
		conn_policy->body(
		    x, c->body.len == 0 ? "" : buf_ptr(&c->body), c->body.len);
	buf_free(&c->body);
}

void
conn_input_refuse(struct conn *c, const struct response *a)
{
	struct exchange *x = c->asked.reading;

	if (x == NULL && (x = begin(c)) == NULL)
		return;
	x->head_only = c->http.request.method == HTTP_METHOD_HEAD;
	c->asked.reading = NULL;
	c->want_continue = false;
	c->deaf = c->unread = true;
	buf_free(&c->body);
	x->close = x->whole = true;
	if (!x->answered)
		conn_policy->cut(x, a);
	conn_mark(c);
}

/* NULL if memory is gone: then c ends, too. */
static struct exchange *
begin(struct conn *c)
{
	struct exchange *x = exchange_begin(&c->asked, c, &conn_policy->ctx);

	if (x == NULL) {
		c->deaf = c->unread = true;
		conn_mark(c);
	}
	return x;
}

bool
conn_is_full(const struct conn *c)
{
	return c->asked.reading == NULL && c->asked.n >= PIPELINE_MAX;
}
