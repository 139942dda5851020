/*
 * The parts of incr-serve behind its connections, put together without any:
 * requests are made and fed by hand, lines leave through a pipe.
 */
#ifndef INCR_SERVE_PARTS_H
#define INCR_SERVE_PARTS_H

#include "check.h"
#include "serve/request.h"
#include "serve/routes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/reason.h"

enum { PARTS_VERDICTS = 64 };

/* What was decided when a verdict came. */
struct parts_verdict {
	struct exchange *x;
	enum decision decision;
	struct response answer;
};

static struct parts {
	struct loop loop;
	struct access access;
	struct backend backend;
	struct bulk_queue bulk;
	struct routes routes;
	struct serve_metrics metrics;
	struct cors cors;
	struct handler handler;
	int lines;    /* the other end of the lines */
	int verdicts; /* of the verdicts */
	struct parts_verdict got[PARTS_VERDICTS];
	size_t n_got;
} parts;

static struct access_options parts_access; /* of the next parts_open() */

static void
parts_take(void *service, struct exchange *x, const struct backend_verdict *v)
{
	struct parts_verdict *to = &parts.got[parts.n_got++ % PARTS_VERDICTS];

	check(service == &parts, "the service");
	to->x = x;
	to->decision = routes_verdict(&parts.routes, x, v, &to->answer);
}

static inline void
parts_open(uint64_t max_lines, uint64_t max_requests, bool tagged)
{
	struct backend_options o = {.max_lines = max_lines,
	    .verdict_ms = 60000,
	    .verdict = parts_take,
	    .service = &parts,
	    .tagged = tagged};
	int out[2], in[2];
	char why[REASON_MAX];
	const char *reason = why;

	parts = (struct parts){0};
	check(
	    pipe2(out, O_NONBLOCK) == 0 && pipe2(in, O_NONBLOCK) == 0, "pipes");
	o.in_fd = in[0];
	o.out_fd = out[1];
	parts.lines = out[0];
	parts.verdicts = in[1];
	check(loop_open(&parts.loop) == 0, "loop");
	check(access_open(&parts.access, &parts_access, &parts.loop, why) == 0,
	    "%s", why);
	check(backend_open(&parts.backend, &o, &parts.loop, &reason) == 0, "%s",
	    reason);
	check(bulk_queue_open(&parts.bulk,
		  &(struct bulk_queue_options){.max = max_requests,
		      .max_lines = max_lines,
		      .wait_ms = 60000,
		      .pace_ms = 60000},
		  &parts.backend, &parts.access) == 0,
	    "bulk queue");
	parts.routes = (struct routes){.access = &parts.access,
	    .backend = &parts.backend,
	    .bulk = &parts.bulk,
	    .metrics = &parts.metrics,
	    .cors = &parts.cors};
	parts.handler = routes_handler(&parts.routes);
	check(serve_metrics_open(&parts.metrics, "test") == 0, "metrics");
}

static inline void
parts_close(void)
{
	int in = parts.backend.in.fd, out = parts.backend.out.fd;
	bool closed = parts.backend.out_closed;

	serve_metrics_close(&parts.metrics);
	backend_close(&parts.backend);
	access_close(&parts.access);
	bulk_queue_close(&parts.bulk);
	loop_close(&parts.loop);
	close(in);
	if (!closed)
		close(out);
	close(parts.lines);
	close(parts.verdicts);
}

/* The lines written since the last call. */
static inline const char *
parts_lines(void)
{
	static char text[1 << 17];
	ssize_t n;

	backend_write(&parts.backend);
	n = read(parts.lines, text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Verdicts come. */
static inline void
parts_answer(const char *verdicts)
{
	check(write(parts.verdicts, verdicts, strlen(verdicts)) ==
		  (ssize_t)strlen(verdicts),
	    "write");
	check(loop_wait(&parts.loop, clock_ms() + 10000) == 0, "loop");
}

static inline struct parts_verdict *
parts_last(void)
{
	return &parts.got[(parts.n_got - 1) % PARTS_VERDICTS];
}

/* A request whose head is text, without a connection; what is decided. */
static inline struct exchange *
parts_begin(const char *text, const struct origin *from, enum decision *ret,
    struct response *ret_answer)
{
	static const struct origin front = {.role = ROUTES_FRONT};
	struct exchanges q = {0};
	struct exchange *x = exchange_begin(&q, NULL, &parts.handler);
	struct http_parser h = {0};
	size_t eaten;

	check(http_parser_step(&h, text, strlen(text), &eaten) == HTTP_HEAD,
	    "%s", text);
	*ret_answer = (struct response){0};
	*ret = parts.handler.head(&parts.routes, x,
	    &(struct request_head){
		&h.request, text, from == NULL ? &front : from},
	    ret_answer);
	return x;
}

#endif
