/* The stages in which incr-serve ends. */
#include "serve/shutdown.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"

static const char *check_backend(struct shutdown *s);
static const char *check_time(struct shutdown *s, int64_t now_ms);
static void check_connections(struct shutdown *s, int64_t now_ms);
static const char *break_off(struct shutdown *s, int status, const char *why);
static void move(struct shutdown *s, enum shutdown_stage stage);
static int64_t leaving_due(const struct shutdown *s);

void
shutdown_init(struct shutdown *s, struct server *server, int64_t unready_ms,
    int64_t grace_ms)
{
	*s = (struct shutdown){.server = server,
	    .unready_ms = unready_ms,
	    .grace_ms = grace_ms,
	    .stage_due_ms = IO_FOREVER,
	    .grace_due_ms = IO_FOREVER,
	    .status = EXIT_DELIVERED};
}

void
shutdown_begin(struct shutdown *s)
{
	if (s->stage != SHUTDOWN_RUNNING)
		return;
	s->outlived = acceptor_is_outlived(&s->server->acceptor);
	move(s, s->outlived ? SHUTDOWN_HANDING : SHUTDOWN_UNREADY);
}

const char *
shutdown_step(struct shutdown *s, int64_t now_ms)
{
	const char *why = NULL;

	if (s->stage != SHUTDOWN_LEAVING)
		why = check_backend(s);
	if (s->stage != SHUTDOWN_LEAVING && why == NULL)
		why = check_time(s, now_ms);
	return why;
}

static const char *
check_backend(struct shutdown *s)
{
	struct backend *b = &s->server->backend;

	switch (backend_state(b)) {
	case BACKEND_RUNNING: return NULL;
	case BACKEND_UNREAD:
		if (s->stage != SHUTDOWN_DRAINING)
			move(s, SHUTDOWN_DRAINING);
		if (s->status == EXIT_TEMPFAIL)
			return NULL;
		s->status = EXIT_TEMPFAIL;
		return backend_why(b);
	case BACKEND_ENDED:
		if (s->stage != SHUTDOWN_DRAINING || backend_count(b) > 0)
			return break_off(s, EXIT_TEMPFAIL, backend_why(b));
		move(s, SHUTDOWN_LEAVING);
		return NULL;
	case BACKEND_FAILED: return break_off(s, EXIT_TEMPFAIL, backend_why(b));
	case BACKEND_CONFUSED: return break_off(s, EXIT_BUG, backend_why(b));
	}
	return NULL;
}

static const char *
check_time(struct shutdown *s, int64_t now_ms)
{
	if (s->stage == SHUTDOWN_UNREADY && now_ms >= s->stage_due_ms)
		move(s, SHUTDOWN_DRAINING);
	if (s->stage == SHUTDOWN_HANDING)
		check_connections(s, now_ms);
	return now_ms < s->grace_due_ms
		   ? NULL
		   : break_off(s, EXIT_TEMPFAIL,
			 "stdin: no end of verdicts within --grace");
}

/* On a connection that is idle a request may be on its way, which would be lost
 * with it: for a while each may bring one. */
static void
check_connections(struct shutdown *s, int64_t now_ms)
{
	if (now_ms >= s->stage_due_ms && !s->idle_closed) {
		conn_close_all(&s->server->conns, true);
		s->idle_closed = true;
		s->stage_due_ms += SHUTDOWN_IDLE_MS;
	}
	if (s->server->conns.count == 0 || now_ms >= s->stage_due_ms)
		move(s, SHUTDOWN_DRAINING);
}

/* Stops waiting for verdicts: lines without one are answered 504. */
static const char *
break_off(struct shutdown *s, int status, const char *why)
{
	uintmax_t lines = backend_count(&s->server->backend);

	snprintf(s->why, sizeof s->why, "%s; %ju line%s without verdict", why,
	    lines, lines == 1 ? "" : "s");
	backend_give_up(&s->server->backend);
	s->status = status;
	move(s, SHUTDOWN_LEAVING);
	return s->why;
}

/* The one place where the stage changes. */
static void
move(struct shutdown *s, enum shutdown_stage stage)
{
	s->stage = stage;
	s->stage_due_ms = IO_FOREVER;
	server_close_connections(s->server);
	s->server->routes.unready = !s->outlived || stage == SHUTDOWN_LEAVING;
	if (s->grace_due_ms == IO_FOREVER)
		s->grace_due_ms = clock_ms() + s->grace_ms;
	switch (stage) {
	case SHUTDOWN_RUNNING: return;
	case SHUTDOWN_UNREADY:
		s->stage_due_ms = clock_ms() + s->unready_ms;
		return;
	case SHUTDOWN_HANDING:
		acceptor_close(&s->server->acceptor);
		s->stage_due_ms = clock_ms() + SHUTDOWN_IDLE_MS;
		return;
	case SHUTDOWN_DRAINING: server_stop_accepting(s->server); return;
	case SHUTDOWN_LEAVING:
		server_stop_accepting(s->server);
		server_cut_connections(s->server);
		s->stage_due_ms = leaving_due(s);
		s->grace_due_ms = IO_FOREVER;
		return;
	}
}

/* After a signal clients may read their answers until the grace is over; after
 * a failure only for a moment, so that a supervisor can start another server
 * soon. */
static int64_t
leaving_due(const struct shutdown *s)
{
	int64_t due_ms = clock_ms() + SHUTDOWN_LINGER_MS;

	return s->status == EXIT_DELIVERED && s->grace_due_ms > due_ms
		   ? s->grace_due_ms
		   : due_ms;
}

void
shutdown_close_output(struct shutdown *s)
{
	if (s->stage == SHUTDOWN_DRAINING &&
	    backend_written(&s->server->backend))
		backend_close_output(&s->server->backend);
}

int64_t
shutdown_due(const struct shutdown *s)
{
	if (s->stage == SHUTDOWN_HANDING && s->server->conns.count == 0)
		return clock_ms();
	return num_min(s->stage_due_ms, s->grace_due_ms);
}

bool
shutdown_done(const struct shutdown *s)
{
	return s->stage == SHUTDOWN_LEAVING &&
	       (clock_ms() >= s->stage_due_ms || server_all_sent(s->server));
}
