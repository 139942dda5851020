/* Serves the metrics of a folder over HTTP. */
#include "serve/metrics_server.h"

#include <string.h>

#include "base/clock.h"
#include "base/lines.h"
#include "base/num.h"

enum { FRESH_MS = 1000 };

static bool
is_path(const struct request_head *h, const char *path)
{
	return h->fields->path_len == strlen(path) &&
	       memcmp(h->text + h->fields->path_at, path, strlen(path)) == 0;
}

static enum decision
problem(struct response *ret, enum http_status status, const char *code,
    const char *detail)
{
	*ret =
	    (struct response){.status = status, .code = code, .detail = detail};
	return DECISION_ANSWER;
}

static enum decision
take_head(void *service, struct exchange *x, const struct request_head *h,
    struct response *ret_answer)
{
	(void)service;
	x->close = true;
	x->limit = LINES_JSON_MAX;
	if (!is_path(h, "/metrics"))
		return problem(ret_answer, HTTP_404, "not-found",
		    "no such resource: the path is /metrics");
	if (h->fields->method == HTTP_METHOD_GET ||
	    h->fields->method == HTTP_METHOD_HEAD)
		return DECISION_READ;
	problem(ret_answer, HTTP_405, "method-not-allowed",
	    "the field Allow names the methods of this resource");
	ret_answer->allow = "GET, HEAD";
	return DECISION_ANSWER;
}

static void
make_text(struct metrics_server *s)
{
	int64_t now_ms = clock_ms();

	if (s->made_ms != 0 && now_ms - s->made_ms < FRESH_MS)
		return;
	buf_free(&s->text);
	s->made_ms = now_ms;
	s->failed = s->make(&s->text) < 0;
}

static enum decision
take_end(void *service, struct exchange *x, const char *body, size_t len,
    struct response *ret_answer)
{
	struct metrics_server *s = service;
	struct buf copy = {0};

	(void)x;
	(void)body;
	(void)len;
	make_text(s);
	if (s->failed || buf_add(&copy, buf_ptr(&s->text), s->text.len) < 0) {
		buf_free(&copy);
		return problem(ret_answer, HTTP_503, "unavailable",
		    "the metrics can not be read");
	}
	*ret_answer = (struct response){.status = HTTP_200,
	    .type = "text/plain; version=0.0.4; charset=utf-8",
	    .text = copy.data,
	    .text_len = copy.len};
	return DECISION_ANSWER;
}

/* -- the server ------------------------------------------------------------ */

int
metrics_server_open(struct metrics_server *s, int (*make)(struct buf *out))
{
	int64_t limit_ms[CONN_STATES] = {0};

	if (loop_open(&s->loop) < 0)
		return -1;
	for (int i = 0; i < CONN_LIMITED; i++)
		limit_ms[i] = METRICS_SERVER_TIME_MS;
	s->make = make;
	s->handler =
	    (struct handler){.service = s, .head = take_head, .end = take_end};
	conn_init(&s->conns, &s->loop, &s->handler, limit_ms);
	acceptor_init(&s->acceptor, &s->conns,
	    &(struct acceptor_limits){
		.max_conns = METRICS_SERVER_CONNS, .brief = true});
	return 0;
}

int
metrics_server_step(struct metrics_server *s)
{
	int64_t now_ms = s->loop.time.now_ms, due_ms;

	conn_flush(&s->conns);
	due_ms = conn_tick(&s->conns, now_ms);
	due_ms = num_min(acceptor_tick(&s->acceptor, now_ms), due_ms);
	return loop_wait(&s->loop, judged_time_due(&s->loop.time, due_ms));
}

void
metrics_server_close(struct metrics_server *s)
{
	acceptor_close(&s->acceptor);
	conn_cut_all(&s->conns);
	conn_flush(&s->conns);
	buf_free(&s->text);
}
