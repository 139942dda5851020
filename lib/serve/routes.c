#include "serve/routes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lines.h"
#include "serve/access.h"
#include "serve/backend.h"
#include "serve/bulk_queue.h"
#include "serve/failure_log.h"
#include "serve/request.h"
#include "serve/serve_metrics.h"

enum route {
	ROUTE_INCREMENT,
	ROUTE_INCREMENTS,
	ROUTE_LIVE,
	ROUTE_READY,
	ROUTE_METRICS,
	ROUTES
};

/* Caddy 2.6 keeps the connections of its health checks as if all Unix sockets
 * were one host: kept open, it would ask one server how another one is. */
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

static bool unready;
static struct failure_log complaints;

static void answer_problem(struct exchange *x, enum http_status status,
    const char *code, const char *detail, const char *allow);
static void admit(
    struct exchange *x, const struct http_request *r, const char *head);
static void take_key(
    struct exchange *x, const struct http_request *r, const char *head);
static void turn_away(struct exchange *x);
static void refuse(struct exchange *x);
static void answer_text(struct exchange *x, const char *text);
static void answer_metrics(struct exchange *x);
static bool is_failure(const struct exchange *x);

void
routes_head(struct exchange *x, const struct http_request *r, const char *head)
{
	static const char posts[] = "POST", gets[] = "GET, HEAD";
	const char *path = head + r->path_at;
	uint8_t role = conn_from(x)->role;
	size_t i = 0;

	if (role == ROUTES_FRONT && conn_from(x)->surplus) {
		turn_away(x);
		return;
	}
	while (
	    i < ROUTES &&
	    (routes[i].role != role || strlen(routes[i].path) != r->path_len ||
		memcmp(routes[i].path, path, r->path_len) != 0))
		i++;
	if (i == ROUTES) {
		answer_problem(
		    x, HTTP_404, "not-found", "there is nothing here", NULL);
		return;
	}
	request_of(x)->route = (uint8_t)i;
	x->limit = LINES_JSON_MAX;
	x->close |= routes[i].closes;
	if (routes[i].posts
		? r->method != HTTP_METHOD_POST
		: r->method != HTTP_METHOD_GET && r->method != HTTP_METHOD_HEAD)
		answer_problem(x, HTTP_405, "method-not-allowed",
		    "the field Allow names the methods of this resource",
		    routes[i].posts ? posts : gets);
	else if (routes[i].posts)
		admit(x, r, head);
}

/* Also health checks: there are servers with fewer connections. */
static void
turn_away(struct exchange *x)
{
	struct response a = response_fault(FAULT_UNAVAILABLE);

	a.detail = "the server has too many connections";
	x->close = true;
	conn_answer(x, &a);
}

/* Those whose body is worth being read; the others are answered. */
static void
admit(struct exchange *x, const struct http_request *r, const char *head)
{
	if (!access_enter(x, r, head))
		return;
	if (backend_full())
		refuse(x);
	else if (r->idempotency_key.at != 0)
		take_key(x, r, head);
	if (x->answered || !access_take(x, 1) ||
	    request_of(x)->route != ROUTE_INCREMENTS)
		return;
	x->limit = BULK_REQUEST_BYTES;
	if (bulk_queue_begin(x) < 0)
		refuse(x);
}

/* A key that would be forgotten is no promise: it is refused. */
static void
take_key(struct exchange *x, const struct http_request *r, const char *head)
{
	static const char code[] = "faulty-idempotency-key";
	struct idempotency_key key;

	if (!backend_tagged())
		answer_problem(x, HTTP_400, code,
		    "this server runs without --tagged, it remembers no keys",
		    NULL);
	else if (idempotency_read(head + r->idempotency_key.at,
		     r->idempotency_key.len, &key) < 0)
		answer_problem(x, HTTP_400, code,
		    "the key must be a string of 1 to 255 visible characters",
		    NULL);
	else if (idempotency_make(
		     request_of(x)->client.name, &key, &request_of(x)->tag) < 0)
		refuse(x);
}

static void
answer_problem(struct exchange *x, enum http_status status, const char *code,
    const char *detail, const char *allow)
{
	conn_answer(x, &(struct response){.status = status,
			   .code = code,
			   .detail = detail,
			   .allow = allow});
}

void
routes_body(struct exchange *x, const char *body, size_t len)
{
	switch ((enum route)request_of(x)->route) {
	case ROUTE_INCREMENT:
		if (backend_add(x, 1, body, len) < 0)
			refuse(x);
		return;
	case ROUTE_INCREMENTS: bulk_queue_end(x); return;
	case ROUTE_LIVE: answer_text(x, "live\n"); return;
	case ROUTE_READY:
		if (!unready && backend_fresh(clock_ms()))
			answer_text(x, "ready\n");
		else
			answer_problem(x, HTTP_503, "not-ready",
			    "verdicts do not arrive, or the server is stopping",
			    NULL);
		return;
	case ROUTE_METRICS: answer_metrics(x); return;
	case ROUTES: return;
	}
}

/* Certainly not counted: no byte of it was written. */
static void
refuse(struct exchange *x)
{
	struct response a = response_fault(FAULT_UNAVAILABLE);

	conn_answer(x, &a);
}

static void
answer_text(struct exchange *x, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		refuse(x);
	else
		conn_answer(x, &(struct response){.status = HTTP_200,
				   .type = "text/plain; charset=utf-8",
				   .text = copy,
				   .text_len = strlen(copy)});
}

static void
answer_metrics(struct exchange *x)
{
	struct buf text = {0};

	if (serve_metrics_scrape(&text) < 0) {
		buf_free(&text);
		refuse(x);
		return;
	}
	conn_answer(x, &(struct response){.status = HTTP_200,
			   .type = "text/plain; version=0.0.4; charset=utf-8",
			   .text = text.data,
			   .text_len = text.len});
}

void
routes_told(struct exchange *x, const struct backend_verdict *v)
{
	struct response a;

	if (request_of(x)->bulk != NULL) {
		bulk_queue_told(x, v);
		return;
	}
	a = response_fault(v->fault);
	conn_answer(x, &a);
}

void
routes_cut(struct exchange *x, const struct response *a)
{
	struct response too_long = *a;

	if (request_of(x)->bulk == NULL) {
		conn_answer(x, a);
		return;
	}
	if (a->status == HTTP_413)
		too_long.detail =
		    "the body must not exceed 1 MiB and 10000 lines";
	bulk_queue_cut(x, &too_long);
}

void
routes_answered(const struct exchange *x)
{
	const struct response *a = &x->answer;

	serve_metrics_count(a->status, clock_us() - x->began_us);
	if (is_failure(x))
		failure_log_add(&complaints, a->status,
		    a->code == NULL ? fault_code(FAULT_UNAVAILABLE) : a->code,
		    &x->trace);
}

/* Is it ours, not the client's?  That /health/ready says no is no failure of
 * the request. */
static bool
is_failure(const struct exchange *x)
{
	const struct response *a = &x->answer;

	if (a->status == HTTP_207)
		return request_of(x)->bulk->failed;
	return (a->status == HTTP_503 || a->status == HTTP_504) &&
	       a->code != NULL && request_of(x)->route != ROUTE_READY;
}

bool
routes_complaint(int64_t now_ms, struct failure *ret)
{
	return failure_log_next(&complaints, now_ms, ret);
}

int64_t
routes_complaint_due(void)
{
	return failure_log_due(&complaints);
}

void
routes_unready(void)
{
	unready = true;
}
