/* Bytes of a connection to requests, and what is read no more. */
#include "http/conn_input.h"

#include <string.h>

enum {
	PIPELINE_MAX = 64, /* requests of one connection without answer */
	DISCARD_MAX = 4096 /* bytes of body after an early answer, which do
			    * not end the connection */
};

static void take_head(
    struct conn_input *in, const struct conn_input_env *env, const char *head);
static void take_data(struct conn_input *in, const struct conn_input_env *env,
    const char *p, size_t len);
static void take_end(struct conn_input *in, const struct conn_input_env *env);
static void refuse(struct conn_input *in, const struct conn_input_env *env,
    struct exchange *x, const struct response *why);
static void tell(const struct conn_input_env *env, struct exchange *x,
    struct response *answer);
static struct exchange *begin(
    struct conn_input *in, const struct conn_input_env *env);
static void move(struct conn_input *in, enum conn_input_state to);

size_t
conn_input_parse(struct conn_input *in, const struct conn_input_env *env,
    const char *p, size_t len)
{
	size_t used = 0, eaten;

	while (in->state == CONN_INPUT_OPEN && !conn_input_is_full(in)) {
		switch (
		    http_parser_step(&in->http, p + used, len - used, &eaten)) {
		case HTTP_MORE: return used;
		case HTTP_HEAD: take_head(in, env, p + used); break;
		case HTTP_DATA: take_data(in, env, p + used, eaten); break;
		case HTTP_FRAMING: break;
		case HTTP_END: take_end(in, env); break;
		case HTTP_FAULT:
			conn_input_cut(in, env,
			    &(struct response){
				.status = (enum http_status)in->http.status,
				.code = "faulty-request",
				.detail = in->http.why});
			break;
		}
		used += eaten;
	}
	return used;
}

static void
take_head(
    struct conn_input *in, const struct conn_input_env *env, const char *head)
{
	const struct http_request *r = &in->http.request;
	struct exchange *x = begin(in, env);
	struct response answer;
	enum decision d;

	if (x == NULL)
		return;
	x->head_only = r->method == HTTP_METHOD_HEAD;
	x->close = !r->keep_alive;
	if (r->traceparent.len == TRACEPARENT_TEXT)
		memcpy(
		    x->trace.text, head + r->traceparent.at, TRACEPARENT_TEXT);
	d = env->handler->head(env->handler->service, x,
	    &(struct request_head){r, head, env->from}, &answer);
	x->unannounced = x->close && r->keep_alive && !x->at_once;
	conn_input_decide(in, env, x, d, &answer);
	if (x->answered)
		x->limit = DISCARD_MAX;
	if (r->length > x->limit || (r->expects && x->answered)) {
		answer = response_fault(FAULT_TOO_LONG);
		if (r->expects || r->length > CONN_INPUT_READ_ON)
			conn_input_cut(in, env, &answer);
		else
			refuse(in, env, x, &answer);
	}
	x->awaits_continue = r->expects && !x->whole;
}

static void
take_data(struct conn_input *in, const struct conn_input_env *env,
    const char *p, size_t len)
{
	struct exchange *x = exchange_reading(&in->asked);
	enum decision d = DECISION_READ;
	struct response answer;

	x->awaits_continue = false;
	x->seen += len;
	if (x->seen > x->limit) {
		answer = response_fault(FAULT_TOO_LONG);
		if (x->refused) {
			conn_input_cut(in, env, &answer);
			return;
		}
		d = DECISION_CUT;
	} else if (x->refused) {
		return;
	} else if (x->in_pieces) {
		d = env->handler->data(
		    env->handler->service, x, p, len, &answer);
	} else if (!x->answered && buf_add(&in->body, p, len) < 0) {
		d = DECISION_CUT;
		answer = response_fault(FAULT_UNAVAILABLE);
	}
	conn_input_decide(in, env, x, d, &answer);
}

static void
take_end(struct conn_input *in, const struct conn_input_env *env)
{
	struct exchange *x = exchange_reading(&in->asked);
	struct response answer;

	x->whole = true;
	in->progressed = true;
	if (x->close)
		move(in, x->unannounced ? CONN_INPUT_CUT : CONN_INPUT_LAST);
	if (!x->answered && !x->refused)
		conn_input_decide(in, env, x,
		    env->handler->end(env->handler->service, x,
			in->body.len == 0 ? "" : buf_ptr(&in->body),
			in->body.len, &answer),
		    &answer);
	buf_free(&in->body);
}

void
conn_input_decide(struct conn_input *in, const struct conn_input_env *env,
    struct exchange *x, enum decision d, const struct response *answer)
{
	switch (d) {
	case DECISION_READ:
		if (in->state == CONN_INPUT_HELD && !x->whole) {
			move(in, CONN_INPUT_OPEN);
			in->progressed = true;
		}
		return;
	case DECISION_HOLD:
		if (!x->whole)
			move(in, CONN_INPUT_HELD);
		return;
	case DECISION_ANSWER: exchange_answer(x, answer); return;
	case DECISION_CUT: refuse(in, env, x, answer); return;
	}
}

/* The answer ends the connection, once the body is read or the limit passed. */
static void
refuse(struct conn_input *in, const struct conn_input_env *env,
    struct exchange *x, const struct response *why)
{
	struct response answer = *why;

	x->unannounced |= !x->close;
	x->close = x->refused = true;
	x->limit = CONN_INPUT_READ_ON;
	buf_free(&in->body);
	if (in->state == CONN_INPUT_HELD) {
		move(in, CONN_INPUT_OPEN);
		in->progressed = true;
	}
	tell(env, x, &answer);
}

/* Why no more of x is taken: once. */
static void
tell(const struct conn_input_env *env, struct exchange *x,
    struct response *answer)
{
	const struct handler *h = env->handler;

	if (x->answered)
		return;
	if (h->cut == NULL || h->cut(h->service, x, answer) == DECISION_ANSWER)
		exchange_answer(x, answer);
}

void
conn_input_cut(struct conn_input *in, const struct conn_input_env *env,
    const struct response *why)
{
	struct exchange *x = exchange_reading(&in->asked);
	struct response answer = *why;

	if (x == NULL && (x = begin(in, env)) == NULL)
		return;
	x->head_only = in->http.request.method == HTTP_METHOD_HEAD;
	x->awaits_continue = false;
	x->close = x->whole = true;
	move(in, CONN_INPUT_CUT);
	buf_free(&in->body);
	if (!x->refused)
		tell(env, x, &answer);
}

void
conn_input_end(struct conn_input *in)
{
	struct exchange *x = exchange_reading(&in->asked);

	if (x != NULL && x->refused)
		x->whole = true;
	else
		exchange_forget(&in->asked);
	buf_free(&in->body);
	move(in, CONN_INPUT_ENDED);
}

void
conn_input_close(struct conn_input *in)
{
	move(in, CONN_INPUT_CUT);
}

/* NULL if there is no memory: then the connection ends, too. */
static struct exchange *
begin(struct conn_input *in, const struct conn_input_env *env)
{
	struct exchange *x =
	    exchange_begin(&in->asked, env->conn, env->handler);

	if (x == NULL)
		move(in, CONN_INPUT_CUT);
	else if (env->handler->fields != NULL)
		x->more =
		    env->handler->fields(env->handler->service, env->from);
	return x;
}

/* The one place where the state changes. */
static void
move(struct conn_input *in, enum conn_input_state to)
{
	if (to > in->state || in->state == CONN_INPUT_HELD)
		in->state = (uint8_t)to;
}

bool
conn_input_is_open(const struct conn_input *in)
{
	return in->state <= CONN_INPUT_HELD;
}

bool
conn_input_is_full(const struct conn_input *in)
{
	return exchange_reading(&in->asked) == NULL &&
	       exchange_count(&in->asked) >= PIPELINE_MAX;
}

struct exchange *
conn_input_continue(const struct conn_input *in)
{
	struct exchange *x = exchange_reading(&in->asked);

	return x != NULL && x == in->asked.first && x->awaits_continue ? x
								       : NULL;
}
