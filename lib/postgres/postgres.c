/* Makes a connection to Postgres and carries one statement at a time. */
#include "postgres/postgres.h"

#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/reason.h"
#include "net/resolve.h"
#include "postgres/pg_answer.h"
#include "postgres/pg_connect.h"
#include "postgres/pg_error.h"
#include "postgres/pg_greeting.h"

enum {
	GREETING_MAX = 4096,
	BULKY_BYTES = 1 << 20 /* of a statement: libpq keeps its buffer */
};

/* What deadline_ms means depends on it. */
enum link {
	LINK_OFF,        /* no connection: the next try */
	LINK_CONNECTING, /* the try has failed */
	LINK_GREETING,   /* the same: the greeting is under way */
	LINK_IDLE,       /* no call: a bulky connection is made anew */
	LINK_CALLING,    /* the connection is lost */
	LINK_FAULT       /* no connection, for ever: never */
};

struct postgres {
	struct pg_connect *connect;
	const char *greeting, *call; /* call: the last statement's name */
	PGconn *conn;                /* NULL: LINK_OFF, LINK_FAULT */
	enum link link;
	int64_t deadline_ms;
	PostgresPollingStatusType polling; /* of LINK_CONNECTING */
	struct backoff backoff;
	bool flushing, bulky; /* bytes wait in libpq; its buffer is large */
	struct once *once;    /* the greeting, statements were right */
	struct pg_answer answer;
	char warning[REASON_MAX]; /* the first one of the call, or "" */
	struct postgres_status status;
};

static void connect_now(struct postgres *pg);
static void step_connecting(struct postgres *pg, short revents);
static void greet(struct postgres *pg);
static void step_greeting(struct postgres *pg, short revents);
static void step_idle(struct postgres *pg, short revents);
static enum postgres_state step_call(struct postgres *pg, short revents);
static enum postgres_state give_up(struct postgres *pg);
static enum postgres_state collect(struct postgres *pg);
static enum postgres_state finish(struct postgres *pg);
static enum postgres_state judge_error(struct postgres *pg, const PGresult *r);
static enum postgres_state fail(struct postgres *pg, const char *why);
static enum postgres_state fault(struct postgres *pg);
static enum postgres_state disconnect(struct postgres *pg);
static void move(struct postgres *pg, enum link to);
static void explain(struct postgres *pg, const char *text);

struct postgres *
postgres_open(const char *url, const char *name, const char *greeting,
    const char **ret_why)
{
	struct pg_connect *connect = pg_connect_open(url, name, ret_why);
	struct postgres *pg;

	if (connect == NULL)
		return NULL;
	*ret_why = LOG_NO_MEMORY;
	pg = calloc(1, sizeof *pg);
	if (pg == NULL) {
		pg_connect_close(connect);
		return NULL;
	}
	pg->connect = connect;
	pg->once = pg_connect_once(connect);
	pg->greeting = greeting;
	return pg;
}

void
postgres_close(struct postgres *pg)
{
	if (pg == NULL)
		return;
	pg_answer_free(&pg->answer);
	PQfinish(pg->conn);
	pg_connect_close(pg->connect);
	free(pg);
}

int64_t
postgres_wait(const struct postgres *pg, struct pollfd *ret_pfd)
{
	*ret_pfd = (struct pollfd){.fd = -1};
	switch (pg->link) {
	case LINK_OFF:
	case LINK_FAULT: return pg->deadline_ms;
	case LINK_CONNECTING:
		ret_pfd->events =
		    pg->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		break;
	/* A server that shuts down is noticed without a call, too. */
	case LINK_IDLE: ret_pfd->events = POLLIN; break;
	case LINK_GREETING:
	case LINK_CALLING:
		ret_pfd->events = POLLIN | (pg->flushing ? POLLOUT : 0);
		break;
	}
	ret_pfd->fd = PQsocket(pg->conn);
	return pg->deadline_ms;
}

enum postgres_state
postgres_step(struct postgres *pg, short revents)
{
	if (revents != 0 && pg->conn != NULL &&
	    pg_answer_overruns(&pg->answer, PQsocket(pg->conn)))
		return fail(pg, "the answer is larger than any can be");
	switch (pg->link) {
	case LINK_OFF:
		if (clock_ms() >= pg->deadline_ms)
			connect_now(pg);
		break;
	case LINK_CONNECTING: step_connecting(pg, revents); break;
	case LINK_GREETING: step_greeting(pg, revents); break;
	case LINK_IDLE: step_idle(pg, revents); break;
	case LINK_CALLING: return step_call(pg, revents);
	case LINK_FAULT: break;
	}
	if (pg->link == LINK_FAULT)
		return POSTGRES_FAULT;
	return pg->link == LINK_IDLE ? POSTGRES_IDLE : POSTGRES_DOWN;
}

static void
connect_now(struct postgres *pg)
{
	char why[REASON_MAX];
	int result = pg_connect_start(pg->connect, pg->warning, &pg->conn, why);

	pg->answer.bytes = 0;
	if (result < 0)
		fail(pg, why);
	else if (result == 0)
		pg->deadline_ms = clock_ms() + RESOLVE_LOOK_MS;
	else
		move(pg, LINK_CONNECTING);
}

static void
step_connecting(struct postgres *pg, short revents)
{
	if (clock_ms() >= pg->deadline_ms) {
		fail(pg, "timed out while connecting");
		return;
	}
	if (revents == 0)
		return;
	pg->polling = PQconnectPoll(pg->conn);
	if (pg->polling == PGRES_POLLING_FAILED) {
		explain(pg, PQerrorMessage(pg->conn));
		if (pg_error_is_login(PQerrorMessage(pg->conn)))
			fault(pg);
		else
			disconnect(pg);
		return;
	}
	if (pg->polling != PGRES_POLLING_OK)
		return;
	PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
	if (PQsetnonblocking(pg->conn, 1) < 0)
		fail(pg, PQerrorMessage(pg->conn));
	else
		greet(pg);
}

static void
greet(struct postgres *pg)
{
	char text[GREETING_MAX];

	if (pg_greeting_write(
		text, sizeof text, pg->greeting, PQbackendPID(pg->conn)) < 0) {
		fail(pg, "greeting: too long");
		return;
	}
	if (PQsendQuery(pg->conn, text) == 0) {
		fail(pg, PQerrorMessage(pg->conn));
		return;
	}
	pg_answer_begin(&pg->answer, NULL, 0);
	pg->call = "greeting";
	pg->flushing = true;
	move(pg, LINK_GREETING);
}

static void
step_greeting(struct postgres *pg, short revents)
{
	if (step_call(pg, revents) != POSTGRES_DONE)
		return;
	if (!pg_answer_greet(&pg->answer, POSTGRES_GREETED)) {
		fail(pg, "greeting: not one row of what was asked");
	} else if (strcmp(pg_answer_greeted(&pg->answer, 0), "error") == 0) {
		explain(pg, "client_min_messages is error, which would hide a "
			    "warning of COMMIT");
		fault(pg);
	} else {
		once_note(pg->once, ONCE_GREETING);
		pg->status.connections++;
		pg->status.expires = certificate_expiry(PQgetssl(pg->conn));
		move(pg, LINK_IDLE);
	}
}

static void
step_idle(struct postgres *pg, short revents)
{
	if (revents != 0 && (PQconsumeInput(pg->conn) == 0 ||
				PQstatus(pg->conn) == CONNECTION_BAD))
		fail(pg, PQerrorMessage(pg->conn));
	else if (clock_ms() >= pg->deadline_ms)
		move(pg, LINK_OFF);
}

static enum postgres_state
step_call(struct postgres *pg, short revents)
{
	int left;

	if (clock_ms() >= pg->deadline_ms)
		return give_up(pg);
	if ((revents & (POLLIN | POLLERR | POLLHUP)) != 0 &&
	    PQconsumeInput(pg->conn) == 0)
		return collect(pg);
	if (pg->flushing) {
		left = PQflush(pg->conn);
		if (left < 0)
			return collect(pg);
		pg->flushing = left > 0;
	}
	return PQisBusy(pg->conn) ? POSTGRES_CALLING : collect(pg);
}

/* The connection may be alive, and the statement under way: the server has
 * time to notice that the connection was closed, before there is another. */
static enum postgres_state
give_up(struct postgres *pg)
{
	enum postgres_state state = fail(pg, "timed out while a statement ran");

	pg->deadline_ms = clock_ms() + PG_GREETING_GONE_MS;
	return state;
}

/*
 * Reads what has come of the answer; the connection may be broken.  Rows come
 * before the COMMIT: only the end of the answer (NULL) says that it was done.
 * Of the statements of a greeting one has rows.
 */
static enum postgres_state
collect(struct postgres *pg)
{
	enum postgres_state state = POSTGRES_DONE;

	while (state == POSTGRES_DONE) {
		PGresult *r;

		/* Never PQgetResult while busy: it would block. */
		if (PQisBusy(pg->conn))
			return PQstatus(pg->conn) == CONNECTION_BAD
				   ? fail(pg, PQerrorMessage(pg->conn))
				   : POSTGRES_CALLING;
		r = PQgetResult(pg->conn);
		if (r == NULL)
			break;
		switch (PQresultStatus(r)) {
		case PGRES_COMMAND_OK:
			if (pg->answer.rows != NULL)
				break;
			/* fall through */
		case PGRES_TUPLES_OK:
			pg_answer_take(&pg->answer, r);
			r = NULL;
			break;
		case PGRES_EMPTY_QUERY:
		case PGRES_COPY_OUT:
		case PGRES_COPY_IN:
		case PGRES_BAD_RESPONSE:
		case PGRES_NONFATAL_ERROR:
		case PGRES_FATAL_ERROR:
		case PGRES_COPY_BOTH:
		case PGRES_SINGLE_TUPLE:
		case PGRES_PIPELINE_SYNC:
		case PGRES_PIPELINE_ABORTED: state = judge_error(pg, r); break;
		}
		PQclear(r);
	}
	if (state != POSTGRES_DONE)
		return state;
	if (pg->answer.rows == NULL || PQstatus(pg->conn) == CONNECTION_BAD)
		return fail(pg, PQerrorMessage(pg->conn));
	return pg->link == LINK_CALLING ? finish(pg) : POSTGRES_DONE;
}

/*
 * The call was answered.  A COMMIT whose wait for a synchronous standby was
 * cancelled comes with a warning and no error: it is here, and may be lost
 * when the standby takes over.  So with a warning nothing is certain.
 */
static enum postgres_state
finish(struct postgres *pg)
{
	if (pg->warning[0] != '\0')
		return fail(pg, pg->warning);
	if (!pg_answer_fits(&pg->answer)) {
		reason_set(pg->status.why,
		    "%s: not the rows that were asked for", pg->call);
		return disconnect(pg);
	}
	move(pg, LINK_IDLE);
	pg->status.why[0] = '\0';
	backoff_reset(&pg->backoff);
	return POSTGRES_DONE;
}

static enum postgres_state
judge_error(struct postgres *pg, const PGresult *r)
{
	const char *code = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (PQstatus(pg->conn) == CONNECTION_BAD || code == NULL ||
	    text == NULL)
		return fail(pg, text != NULL ? text : PQerrorMessage(pg->conn));
	if (pg_error_is_permanent(code)) {
		reason_set(pg->status.why, "%s: %s (%s); %s", pg->call, text,
		    code, pg_error_remedy(code));
		return fault(pg);
	}
	/* One that is read-only (25006) or ends (57P0x) has a successor. */
	return fail(pg, text);
}

/* Drops the connection; another is made after the back-off. */
static enum postgres_state
fail(struct postgres *pg, const char *why)
{
	explain(pg, why);
	return disconnect(pg);
}

/* What was right before may be changed back. why is explained already. */
static enum postgres_state
fault(struct postgres *pg)
{
	if (pg->once->was[pg->link == LINK_CALLING ? ONCE_WORK : ONCE_GREETING])
		return disconnect(pg);
	move(pg, LINK_FAULT);
	return POSTGRES_FAULT;
}

static enum postgres_state
disconnect(struct postgres *pg)
{
	bool calling = pg->link == LINK_CALLING;

	move(pg, LINK_OFF);
	pg->deadline_ms = clock_ms() + backoff_next(&pg->backoff);
	return calling ? POSTGRES_FAILED : POSTGRES_DOWN;
}

static void
move(struct postgres *pg, enum link to)
{
	switch (to) {
	case LINK_OFF:
	case LINK_FAULT:
		PQfinish(pg->conn);
		pg->conn = NULL;
		pg->deadline_ms = to == LINK_OFF ? 0 : IO_FOREVER;
		break;
	case LINK_CONNECTING:
		pg->polling = PGRES_POLLING_WRITING;
		pg->bulky = false;
		pg->deadline_ms = clock_ms() + POSTGRES_CONNECT_MS;
		break;
	case LINK_IDLE:
		pg->deadline_ms =
		    pg->bulky ? clock_ms() + POSTGRES_REST_MS : IO_FOREVER;
		break;
	case LINK_CALLING:
		pg->deadline_ms = clock_ms() + POSTGRES_REPLY_MS;
		/* fall through */
	case LINK_GREETING: pg->warning[0] = '\0'; break;
	}
	pg->link = to;
	pg->status.idle = to == LINK_IDLE;
}

/* Keeps the first line. */
static void
explain(struct postgres *pg, const char *text)
{
	reason_set(pg->status.why, "%.*s%s", (int)strcspn(text, "\n"),
	    *text == '\0' ? "connection lost" : text,
	    pg_error_login_remedy(text));
}

const struct postgres_status *
postgres_status(const struct postgres *pg)
{
	return &pg->status;
}

const char *
postgres_greeted(const struct postgres *pg, int i)
{
	return pg_answer_greeted(&pg->answer, i + 1);
}

int
postgres_call(struct postgres *pg, const char *name, const char *statement,
    const struct postgres_params *p)
{
	static const int binary[POSTGRES_PARAMS_MAX] = {
	    1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	size_t sent = 0;

	if (!pg->status.idle)
		return -1;
	for (int i = 0; i < p->n; i++)
		sent += (size_t)p->lengths[i];
	pg_answer_begin(&pg->answer, &p->shape, sent);
	pg->call = name;
	if (PQsendQueryParams(pg->conn, statement, p->n, p->types, p->values,
		p->lengths, binary, 1) == 0) {
		fail(pg, PQerrorMessage(pg->conn));
		return 0;
	}
	pg->flushing = true;
	move(pg, LINK_CALLING);
	for (int i = 0; i < p->n; i++)
		if (p->lengths[i] > BULKY_BYTES)
			pg->bulky = true;
	return 0;
}

void
postgres_prove(struct postgres *pg)
{
	once_note(pg->once, ONCE_WORK);
}

bool
postgres_is_proven(const struct postgres *pg)
{
	return pg->once->was[ONCE_WORK];
}

size_t
postgres_rows(const struct postgres *pg)
{
	return pg_answer_count(&pg->answer);
}

const char *
postgres_value(const struct postgres *pg, size_t i, size_t len)
{
	size_t n = 0;
	const char *value = postgres_bytes(pg, i, &n);

	return n != len ? NULL : value;
}

const char *
postgres_bytes(const struct postgres *pg, size_t i, size_t *ret_len)
{
	return pg_answer_value(&pg->answer, i, ret_len);
}

bool
postgres_pretend(struct postgres *pg, struct pg_result *answer)
{
	pg_answer_take(&pg->answer, answer);
	if (pg->answer.greeted != NULL)
		return pg_answer_fits(&pg->answer);
	if (pg_answer_greet(&pg->answer, POSTGRES_GREETED))
		move(pg, LINK_IDLE);
	return pg->status.idle;
}
