/* The parts of incr-serve put together. */
#include "serve/server.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/reason.h"

static void init_connections(struct server *s, const struct server_options *o);
static void take_verdict(
    void *service, struct exchange *x, const struct backend_verdict *v);
static int64_t advance_bulk(struct server *s, int64_t now_ms);

int
server_open(
    struct server *s, const struct server_options *o, char ret_why[REASON_MAX])
{
	struct backend_options backend = o->backend;
	const char *why;

	if (loop_open(&s->loop) < 0) {
		reason_set(ret_why, "epoll: %s", strerror(errno));
		return EXIT_TEMPFAIL;
	}
	if (access_open(&s->access, o->access, &s->loop, ret_why) < 0)
		return log_status(ret_why);
	backend.verdict = take_verdict;
	backend.service = s;
	if (backend_open(&s->backend, &backend, &s->loop, &why) < 0) {
		reason_set(ret_why, "%s", why);
		return EXIT_TEMPFAIL;
	}
	if (bulk_queue_open(&s->bulk,
		&(struct bulk_queue_options){.max = o->max_bulk_requests,
		    .max_lines = backend.max_lines,
		    .wait_ms = backend.verdict_ms,
		    .pace_ms = o->limit_ms[CONN_BODY]},
		&s->backend, &s->access) < 0) {
		reason_set(ret_why, "%s", LOG_NO_MEMORY);
		return EXIT_TEMPFAIL;
	}
	s->cors = o->cors;
	s->routes = (struct routes){.access = &s->access,
	    .backend = &s->backend,
	    .bulk = &s->bulk,
	    .metrics = &s->metrics,
	    .cors = &s->cors};
	s->handler = routes_handler(&s->routes);
	init_connections(s, o);
	return 0;
}

static void
init_connections(struct server *s, const struct server_options *o)
{
	conn_init(&s->conns, &s->loop, &s->handler, o->limit_ms);
	acceptor_init(&s->acceptor, &s->conns,
	    &(struct acceptor_limits){.max_conns = o->max_connections,
		.max_surplus = SERVER_SURPLUS});
	conn_init(&s->metrics_conns, &s->loop, &s->handler, o->limit_ms);
	acceptor_init(&s->metrics_acceptor, &s->metrics_conns,
	    &(struct acceptor_limits){
		.max_conns = SERVER_METRICS_CONNS, .brief = true});
}

void
server_close(struct server *s)
{
	serve_metrics_close(&s->metrics);
	access_close(&s->access);
	bulk_queue_close(&s->bulk);
}

/* -- the end of connections ---------------------------------------------- */

void
server_close_connections(struct server *s)
{
	conn_close_all(&s->conns, false);
	conn_close_all(&s->metrics_conns, false);
}

void
server_stop_accepting(struct server *s)
{
	acceptor_close(&s->acceptor);
	acceptor_close(&s->metrics_acceptor);
}

void
server_cut_connections(struct server *s)
{
	conn_cut_all(&s->conns);
	conn_cut_all(&s->metrics_conns);
}

bool
server_all_sent(const struct server *s)
{
	return conn_unsent(&s->conns) + conn_unsent(&s->metrics_conns) == 0;
}

/* -- one turn of the loop ------------------------------------------------ */

static void
take_verdict(void *service, struct exchange *x, const struct backend_verdict *v)
{
	struct server *s = service;
	struct response answer;
	enum decision d = routes_verdict(&s->routes, x, v, &answer);

	conn_decide(x, d, &answer);
}

void
server_send(struct server *s)
{
	(void)advance_bulk(s, s->loop.time.now_ms);
	conn_flush(&s->conns);
	conn_flush(&s->metrics_conns);
	backend_write(&s->backend);
}

/* Lines of bulk requests that have waited for room. */
static int64_t
advance_bulk(struct server *s, int64_t now_ms)
{
	struct response answer;
	struct exchange *x;
	enum decision d;

	while ((x = bulk_queue_next(&s->bulk, now_ms)) != NULL) {
		d = bulk_queue_advance(&s->bulk, x, &answer);
		conn_decide(x, d, &answer);
	}
	return bulk_queue_due(&s->bulk);
}

int64_t
server_tick(struct server *s, int64_t now_ms)
{
	int64_t due_ms = backend_tick(&s->backend, now_ms);

	due_ms = num_min(due_ms, advance_bulk(s, now_ms));
	due_ms = num_min(due_ms, conn_tick(&s->conns, now_ms));
	due_ms = num_min(due_ms, conn_tick(&s->metrics_conns, now_ms));
	due_ms = num_min(due_ms, acceptor_tick(&s->acceptor, now_ms));
	due_ms = num_min(due_ms, acceptor_tick(&s->metrics_acceptor, now_ms));
	due_ms =
	    num_min(due_ms, serve_metrics_tick(&s->metrics, now_ms,
				s->conns.count, backend_count(&s->backend)));
	due_ms =
	    num_min(due_ms, ratelimit_shared_tick(&s->access.shared, now_ms));
	return num_min(due_ms, failure_log_due(&s->routes.failures));
}
