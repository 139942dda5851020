/* Requests by path and method, and their answers. */
#include "serve/routes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/reason.h"
#include "net/address.h"
#include "serve/request.h"

enum route {
	ROUTE_INCREMENT,
	ROUTE_INCREMENTS,
	ROUTE_LIVE,
	ROUTE_READY,
	ROUTE_METRICS,
	ROUTES
};

/* Caddy 2.6 keeps the connections of its health checks as if all Unix sockets
 * were one host: kept open, it would ask one server how another one is.  On a
 * Unix socket the end may follow at once: what was sent is read all the same,
 * whatever the client sends behind its check. */
static const struct {
	const char *path;
	uint8_t role;
	bool posts;  /* POST, else GET and HEAD */
	bool closes; /* its answer ends the connection, see above */
} routes[ROUTES] = {
    [ROUTE_INCREMENT] = {"/increment", ROUTES_FRONT, true, false},
    [ROUTE_INCREMENTS] = {"/increments", ROUTES_FRONT, true, false},
    [ROUTE_LIVE] = {"/health/live", ROUTES_FRONT, false, true},
    [ROUTE_READY] = {"/health/ready", ROUTES_FRONT, false, true},
    [ROUTE_METRICS] = {"/metrics", ROUTES_METRICS, false, false},
};

static const char *cross_origin(void *service, const struct origin *from);
static enum decision take_head(void *service, struct exchange *x,
    const struct request_head *h, struct response *ret_answer);
static enum route find(const struct request_head *h);
static bool is_at(const struct request_head *h, enum route route, size_t len);
static const char *why_none(const struct request_head *h);
static bool allows(enum route route, uint8_t method);
static enum decision answer_method(const struct routes *r, enum route route,
    const struct request_head *h, struct response *ret_answer);
static enum decision turn_away(struct exchange *x, struct response *ret_answer);
static enum decision admit(struct routes *r, struct exchange *x,
    const struct request_head *h, struct response *ret_answer);
static enum decision take_key(struct routes *r, struct exchange *x,
    const struct request_head *h, struct response *ret_answer);
static enum decision take_offset(struct exchange *x,
    const struct request_head *h, struct response *ret_answer);
static enum decision take_data(void *service, struct exchange *x, const char *p,
    size_t len, struct response *ret_answer);
static enum decision take_end(void *service, struct exchange *x,
    const char *body, size_t len, struct response *ret_answer);
static enum decision send_line(struct routes *r, struct exchange *x,
    const char *body, size_t len, struct response *ret_answer);
static enum decision answer_ready(
    struct routes *r, struct response *ret_answer);
static enum decision answer_text(const char *text, struct response *ret_answer);
static enum decision answer_metrics(
    struct routes *r, struct response *ret_answer);
static enum decision answer_problem(struct response *ret_answer,
    enum http_status status, const char *code, const char *detail);
static void explain(struct routes *r, int64_t now_ms);
static enum decision refuse(struct response *ret_answer, const char *why);
static enum decision cut(
    void *service, struct exchange *x, struct response *answer);
static void leave(void *service, struct exchange *x);
static void count(void *service, const struct exchange *x);
static bool is_failure(const struct exchange *x);

struct handler
routes_handler(struct routes *r)
{
	return (struct handler){.service = r,
	    .ctx_size = sizeof(struct request),
	    .ctx_end = request_end,
	    .fields = cross_origin,
	    .head = take_head,
	    .data = take_data,
	    .end = take_end,
	    .cut = cut,
	    .left = leave,
	    .answered = count};
}

/* -- the head ------------------------------------------------------------ */

/* A page that may send may read why it was refused, whatever it was. */
static const char *
cross_origin(void *service, const struct origin *from)
{
	struct routes *r = service;

	return from->role == ROUTES_FRONT ? cors_fields(r->cors) : NULL;
}

static enum decision
take_head(void *service, struct exchange *x, const struct request_head *h,
    struct response *ret_answer)
{
	struct routes *r = service;
	enum route route;

	if (h->from->surplus)
		return turn_away(x, ret_answer);
	x->close |= h->from->brief;
	route = find(h);
	if (route == ROUTES)
		return answer_problem(
		    ret_answer, HTTP_404, "not-found", why_none(h));
	request_of(x)->route = (uint8_t)route;
	x->limit = LINES_JSON_MAX;
	x->close |= routes[route].closes;
	x->at_once = routes[route].closes && address_is_unix(&h->from->peer);
	if (!allows(route, h->fields->method))
		return answer_method(r, route, h, ret_answer);
	return routes[route].posts ? admit(r, x, h, ret_answer) : DECISION_READ;
}

/* A preflight of a browser needs no token: it can't have one. */
static enum decision
answer_method(const struct routes *r, enum route route,
    const struct request_head *h, struct response *ret_answer)
{
	bool preflights = routes[route].posts && cors_fields(r->cors) != NULL;

	if (preflights && h->fields->method == HTTP_METHOD_OPTIONS) {
		*ret_answer = cors_preflight(r->cors);
		return DECISION_ANSWER;
	}
	answer_problem(ret_answer, HTTP_405, "method-not-allowed",
	    "the field Allow names the methods of this resource");
	ret_answer->allow = preflights            ? "POST, OPTIONS"
			    : routes[route].posts ? "POST"
						  : "GET, HEAD";
	return DECISION_ANSWER;
}

/* ROUTES if there is none. */
static enum route
find(const struct request_head *h)
{
	size_t i = 0;

	while (i < ROUTES && !is_at(h, (enum route)i, h->fields->path_len))
		i++;
	return (enum route)i;
}

/* Are these bytes of the path those of the route? */
static bool
is_at(const struct request_head *h, enum route route, size_t len)
{
	return routes[route].role == h->from->role &&
	       strlen(routes[route].path) == len &&
	       memcmp(routes[route].path, h->text + h->fields->path_at, len) ==
		   0;
}

/* Of a path that only ends with a slash too many, the right one. */
static const char *
why_none(const struct request_head *h)
{
	const char *path = h->text + h->fields->path_at;
	size_t len = h->fields->path_len;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len < h->fields->path_len && is_at(h, ROUTE_INCREMENT, len))
		return "no such resource: the path is /increment";
	if (len < h->fields->path_len && is_at(h, ROUTE_INCREMENTS, len))
		return "no such resource: the path is /increments";
	return "no such resource";
}

static bool
allows(enum route route, uint8_t method)
{
	if (routes[route].posts)
		return method == HTTP_METHOD_POST;
	return method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD;
}

/* Also health checks: there are servers with fewer connections. */
static enum decision
turn_away(struct exchange *x, struct response *ret_answer)
{
	x->close = true;
	refuse(ret_answer, "too many connections (--max-connections)");
	ret_answer->detail = "the server has too many connections";
	return DECISION_ANSWER;
}

/* A POST whose body is worth being read is READ, any other is answered. */
static enum decision
admit(struct routes *r, struct exchange *x, const struct request_head *h,
    struct response *ret_answer)
{
	struct client *client = &request_of(x)->client;

	if (access_check(r->access, h, client, ret_answer) == DECISION_ANSWER)
		return DECISION_ANSWER;
	if (h->fields->encoded) {
		answer_problem(ret_answer, HTTP_415, "encoding-not-supported",
		    "the field Content-Encoding can only be identity");
		ret_answer->encoding = "identity";
		return DECISION_ANSWER;
	}
	if (backend_full(r->backend))
		return refuse(ret_answer, backend_why_full(r->backend));
	if (take_key(r, x, h, ret_answer) == DECISION_ANSWER)
		return DECISION_ANSWER;
	if (access_take(r->access, client, 1, ret_answer) == DECISION_ANSWER)
		return DECISION_ANSWER;
	if (request_of(x)->route != ROUTE_INCREMENTS)
		return DECISION_READ;
	x->limit = BULK_REQUEST_BYTES;
	access_identify(r->access, h, client);
	return bulk_queue_begin(r->bulk, x, h->fields->chunked) == 0
		   ? DECISION_READ
		   : refuse(ret_answer, LOG_NO_MEMORY);
}

/* A key that would be forgotten is no promise: it is refused. */
static enum decision
take_key(struct routes *r, struct exchange *x, const struct request_head *h,
    struct response *ret_answer)
{
	static const char code[] = "faulty-idempotency-key";
	const struct http_value *field = &h->fields->idempotency_key;
	struct idempotency_key key;

	if (field->at == 0)
		return take_offset(x, h, ret_answer);
	if (!backend_tagged(r->backend))
		return answer_problem(ret_answer, HTTP_400, code,
		    "this server runs without --tagged, it remembers no keys");
	if (idempotency_read(h->text + field->at, field->len, &key) < 0)
		return answer_problem(ret_answer, HTTP_400, code,
		    "the key must be a string of 1 to 255 visible characters");
	if (idempotency_make(
		request_of(x)->client.name, &key, &request_of(x)->tag) < 0)
		return refuse(ret_answer, LOG_NO_MEMORY);
	return take_offset(x, h, ret_answer);
}

/* One that is not understood would give lines the tags of others, and they
 * would be taken for repeats. */
static enum decision
take_offset(struct exchange *x, const struct request_head *h,
    struct response *ret_answer)
{
	static const char code[] = "faulty-line-offset";
	const struct http_value *field = &h->fields->line_offset;
	struct idempotency_tag *tag = &request_of(x)->tag;

	if (field->at == 0)
		return DECISION_READ;
	if (idempotency_is_none(tag))
		return answer_problem(ret_answer, HTTP_400, code,
		    "Incr-Line-Offset needs an Idempotency-Key");
	if (idempotency_read_offset(
		h->text + field->at, field->len, &tag->offset) < 0)
		return answer_problem(ret_answer, HTTP_400, code,
		    "Incr-Line-Offset must be a number of 1 to 15 digits");
	x->first_line = tag->offset + 1;
	return DECISION_READ;
}

/* -- the body ------------------------------------------------------------ */

static enum decision
take_data(void *service, struct exchange *x, const char *p, size_t len,
    struct response *ret_answer)
{
	struct routes *r = service;

	return bulk_queue_data(r->bulk, x, p, len, ret_answer);
}

static enum decision
take_end(void *service, struct exchange *x, const char *body, size_t len,
    struct response *ret_answer)
{
	struct routes *r = service;

	switch ((enum route)request_of(x)->route) {
	case ROUTE_INCREMENT: return send_line(r, x, body, len, ret_answer);
	case ROUTE_INCREMENTS: return bulk_queue_end(r->bulk, x, ret_answer);
	case ROUTE_LIVE: return answer_text("live\n", ret_answer);
	case ROUTE_READY: return answer_ready(r, ret_answer);
	case ROUTE_METRICS: return answer_metrics(r, ret_answer);
	case ROUTES: break;
	}
	return refuse(ret_answer, LOG_NO_MEMORY);
}

static enum decision
send_line(struct routes *r, struct exchange *x, const char *body, size_t len,
    struct response *ret_answer)
{
	request_of(x)->hint = fault_hint(FAULT_NOT_JSON, body, len);
	return backend_add(r->backend, x, 1, body, len, clock_ms()) == 0
		   ? DECISION_READ
		   : refuse(ret_answer, backend_why_full(r->backend));
}

/* -- answers ------------------------------------------------------------- */

static enum decision
answer_ready(struct routes *r, struct response *ret_answer)
{
	int64_t now_ms = r->backend->loop->time.now_ms;
	bool ready = !r->unready && backend_fresh(r->backend, now_ms);

	if (readiness_asked(&r->readiness, ready, now_ms))
		explain(r, now_ms);
	if (ready)
		return answer_text("ready\n", ret_answer);
	return answer_problem(ret_answer, HTTP_503, "not-ready",
	    "verdicts do not arrive, or the server is stopping");
}

static void
explain(struct routes *r, int64_t now_ms)
{
	char why[REASON_MAX] = "the server is stopping";

	if (!r->unready)
		backend_why_stale(r->backend, now_ms, why);
	reason_set(r->why_unready, "/health/ready: 503: %s", why);
}

bool
routes_why_unready(struct routes *r, char ret_why[REASON_MAX])
{
	if (r->why_unready[0] == '\0')
		return false;
	reason_set(ret_why, "%s", r->why_unready);
	r->why_unready[0] = '\0';
	return true;
}

static enum decision
answer_text(const char *text, struct response *ret_answer)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return refuse(ret_answer, LOG_NO_MEMORY);
	*ret_answer = (struct response){.status = HTTP_200,
	    .type = "text/plain; charset=utf-8",
	    .text = copy,
	    .text_len = strlen(copy)};
	return DECISION_ANSWER;
}

static enum decision
answer_metrics(struct routes *r, struct response *ret_answer)
{
	struct buf text = {0};

	if (serve_metrics_scrape(r->metrics, clock_ms(), &text) < 0) {
		buf_free(&text);
		return refuse(ret_answer, LOG_NO_MEMORY);
	}
	*ret_answer = (struct response){.status = HTTP_200,
	    .type = "text/plain; version=0.0.4; charset=utf-8",
	    .text = text.data,
	    .text_len = text.len};
	return DECISION_ANSWER;
}

static enum decision
answer_problem(struct response *ret_answer, enum http_status status,
    const char *code, const char *detail)
{
	*ret_answer =
	    (struct response){.status = status, .code = code, .detail = detail};
	return DECISION_ANSWER;
}

/* Certainly not counted: no byte of it was written. */
static enum decision
refuse(struct response *ret_answer, const char *why)
{
	*ret_answer = response_fault(FAULT_UNAVAILABLE);
	ret_answer->why = why;
	return DECISION_ANSWER;
}

enum decision
routes_verdict(struct routes *r, struct exchange *x,
    const struct backend_verdict *v, struct response *ret_answer)
{
	if (request_of(x)->bulk != NULL)
		return bulk_queue_verdict(r->bulk, x, v, ret_answer);
	*ret_answer = response_fault(v->fault);
	if (v->fault == FAULT_NOT_JSON && request_of(x)->hint != NULL)
		ret_answer->detail = request_of(x)->hint;
	return DECISION_ANSWER;
}

static enum decision
cut(void *service, struct exchange *x, struct response *answer)
{
	(void)service;
	if (request_of(x)->bulk == NULL)
		return DECISION_ANSWER;
	if (answer->status == HTTP_413)
		answer->detail = BULK_REQUEST_TOO_LONG;
	return bulk_queue_cut(x, answer);
}

static void
leave(void *service, struct exchange *x)
{
	(void)service;
	bulk_queue_leave(x);
}

/* -- after the answer ---------------------------------------------------- */

static void
count(void *service, const struct exchange *x)
{
	struct routes *r = service;
	const struct response *a = &x->answer;

	serve_metrics_count(r->metrics, a->status, clock_us() - x->began_us,
	    routes[request_of(x)->route].closes);
	if (request_of(x)->client.old_token)
		serve_metrics_count_old_token(r->metrics);
	if (is_failure(x))
		failure_log_add(&r->failures, a->status,
		    a->code == NULL ? fault_code(FAULT_UNAVAILABLE) : a->code,
		    a->why, &x->trace);
}

/* Is it the server's, not the client's?  That /health/ready says no is no
 * failure of the request. */
static bool
is_failure(const struct exchange *x)
{
	const struct response *a = &x->answer;

	if (a->status == HTTP_207)
		return request_of(x)->bulk->failed;
	return (a->status == HTTP_503 || a->status == HTTP_504) &&
	       a->code != NULL && request_of(x)->route != ROUTE_READY;
}
