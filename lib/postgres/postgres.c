#include "postgres/postgres.h"

#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

enum {
	WHY_MAX = 512,
	BULKY_BYTES = 1 << 20 /* of a statement: libpq keeps its buffer */
};

enum link {
	LINK_OFF,        /* the next try is at at_ms */
	LINK_CONNECTING, /* until deadline_ms */
	LINK_UP,
	LINK_FAULT /* for ever */
};

struct postgres {
	const char *url, *name;
	PGconn *conn; /* NULL: LINK_OFF */
	enum link link;
	PostgresPollingStatusType polling;
	struct backoff backoff;
	int64_t at_ms;       /* no connection, no call before */
	int64_t deadline_ms; /* of connection or call */
	int64_t rest_ms;     /* when a bulky connection is renewed */
	const char *call;    /* the statement's name, NULL: none */
	bool flushing;       /* bytes of the statement wait in libpq */
	bool bulky;          /* libpq holds on to a large buffer */
	PGresult *rows;      /* of the last call, NULL: none (yet) */
	char why[WHY_MAX];
};

static void connect_now(struct postgres *pg);
static void ignore(void *arg, const PGresult *notice);
static void step_connecting(struct postgres *pg, short revents);
static bool only_wrong_credentials(const char *text);
static enum postgres_state step_up(struct postgres *pg, short revents);
static enum postgres_state step_call(struct postgres *pg, short revents);
static enum postgres_state collect(struct postgres *pg);
static enum postgres_state judge_error(struct postgres *pg, const PGresult *r);
static const char *remedy(const char *code);
static enum postgres_state fail(struct postgres *pg, const char *why);
static void hang_up(struct postgres *pg);
static void explain(struct postgres *pg, const char *text);

struct postgres *
postgres_open(const char *url, const char *name, const char **ret_why)
{
	PQconninfoOption *parsed = NULL;
	struct postgres *pg;

	/* libpq's own words about a bad string may show parts of it. */
	*ret_why = "not a URL or connection string that libpq understands";
	if (url != NULL && (strstr(url, "://") || strchr(url, '='))) {
		parsed = PQconninfoParse(url, NULL);
		if (parsed == NULL)
			return NULL;
		PQconninfoFree(parsed);
	}
	*ret_why = LOG_NO_MEMORY;
	pg = calloc(1, sizeof *pg);
	if (pg == NULL)
		return NULL;
	pg->url = url;
	pg->name = name;
	return pg;
}

void
postgres_close(struct postgres *pg)
{
	if (pg == NULL)
		return;
	PQclear(pg->rows);
	PQfinish(pg->conn);
	free(pg);
}

int64_t
postgres_wait(const struct postgres *pg, struct pollfd *ret_pfd)
{
	int64_t now_ms = clock_ms();

	*ret_pfd = (struct pollfd){.fd = -1};
	switch (pg->link) {
	case LINK_OFF: return pg->at_ms;
	case LINK_FAULT: return IO_FOREVER;
	case LINK_CONNECTING:
		ret_pfd->fd = PQsocket(pg->conn);
		ret_pfd->events =
		    pg->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		return pg->deadline_ms;
	case LINK_UP: break;
	}
	/* Without a call, too: a server that leaves is noticed. */
	ret_pfd->fd = PQsocket(pg->conn);
	ret_pfd->events = POLLIN;
	if (pg->call != NULL) {
		if (pg->flushing)
			ret_pfd->events |= POLLOUT;
		return pg->deadline_ms;
	}
	return pg->at_ms > now_ms ? pg->at_ms : pg->rest_ms;
}

enum postgres_state
postgres_step(struct postgres *pg, short revents)
{
	if (pg->link == LINK_OFF && clock_ms() >= pg->at_ms)
		connect_now(pg);
	else if (pg->link == LINK_CONNECTING)
		step_connecting(pg, revents);
	else if (pg->link == LINK_UP)
		return step_up(pg, revents);
	switch (pg->link) {
	case LINK_OFF:
	case LINK_CONNECTING: return POSTGRES_DOWN;
	case LINK_FAULT: return POSTGRES_FAULT;
	case LINK_UP: break;
	}
	return POSTGRES_IDLE;
}

static void
connect_now(struct postgres *pg)
{
	char silence[16];
	/* What stands before dbname is a default: the URL may say else. */
	const char *const names[] = {"fallback_application_name",
	    "tcp_user_timeout", "keepalives_idle", "keepalives_interval",
	    "keepalives_count", "dbname", NULL};
	const char *const values[] = {
	    pg->name, silence, "5", "2", "3", pg->url, NULL};

	snprintf(silence, sizeof silence, "%d", POSTGRES_SILENCE_MS);
	pg->conn = PQconnectStartParams(names, values, 1);
	if (pg->conn == NULL || PQstatus(pg->conn) == CONNECTION_BAD) {
		fail(pg, pg->conn == NULL ? LOG_NO_MEMORY
					  : PQerrorMessage(pg->conn));
		return;
	}
	PQsetNoticeReceiver(pg->conn, ignore, NULL);
	/* The only way to the SQLSTATE of a refused connection. */
	PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
	pg->link = LINK_CONNECTING;
	pg->polling = PGRES_POLLING_WRITING;
	pg->deadline_ms = clock_ms() + POSTGRES_CONNECT_MS;
}

/* libpq would print it; what matters comes as an error, too. */
static void
ignore(void *arg, const PGresult *notice)
{
	(void)arg;
	(void)notice;
}

static void
step_connecting(struct postgres *pg, short revents)
{
	if (clock_ms() >= pg->deadline_ms) {
		fail(pg, "no answer to the connection");
		return;
	}
	if (revents == 0)
		return;
	pg->polling = PQconnectPoll(pg->conn);
	if (pg->polling == PGRES_POLLING_FAILED) {
		bool wrong = only_wrong_credentials(PQerrorMessage(pg->conn));

		fail(pg, PQerrorMessage(pg->conn));
		if (wrong)
			pg->link = LINK_FAULT;
		return;
	}
	if (pg->polling != PGRES_POLLING_OK)
		return;
	PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
	if (PQsetnonblocking(pg->conn, 1) < 0) {
		fail(pg, PQerrorMessage(pg->conn));
		return;
	}
	pg->link = LINK_UP;
	pg->bulky = false;
	pg->rest_ms = IO_FOREVER;
}

/* Did every host that was tried refuse user or password (class 28)? */
static bool
only_wrong_credentials(const char *text)
{
	bool any = false;

	while (text != NULL) {
		size_t len = strcspn(text, "\n");
		const char *code = memmem(text, len, ":  28", 5);

		if (strncmp(text, "connection to server", 20) == 0) {
			if (code == NULL)
				return false;
			any = true;
		}
		text = text[len] == '\0' ? NULL : text + len + 1;
	}
	return any;
}

static enum postgres_state
step_up(struct postgres *pg, short revents)
{
	if (pg->call != NULL)
		return step_call(pg, revents);
	if (revents != 0 && (PQconsumeInput(pg->conn) == 0 ||
				PQstatus(pg->conn) == CONNECTION_BAD)) {
		fail(pg, PQerrorMessage(pg->conn));
		return POSTGRES_DOWN;
	}
	if (clock_ms() >= pg->rest_ms) {
		hang_up(pg);
		return POSTGRES_DOWN;
	}
	return POSTGRES_IDLE;
}

static enum postgres_state
step_call(struct postgres *pg, short revents)
{
	int left;

	if (clock_ms() >= pg->deadline_ms)
		return fail(pg, "no answer to a statement");
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

/*
 * Everything there is of the answer; the connection may be broken.  Rows
 * come before the COMMIT: only the end (NULL) says that it was done.
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
		case PGRES_TUPLES_OK:
		case PGRES_COMMAND_OK:
			PQclear(pg->rows);
			pg->rows = r;
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
	if (state == POSTGRES_DONE &&
	    (pg->rows == NULL || PQstatus(pg->conn) == CONNECTION_BAD))
		return fail(pg, PQerrorMessage(pg->conn));
	if (state == POSTGRES_DONE) {
		pg->call = NULL;
		pg->why[0] = '\0';
		backoff_reset(&pg->backoff);
		if (pg->bulky)
			pg->rest_ms = clock_ms() + POSTGRES_REST_MS;
	}
	return state;
}

/* What an SQLSTATE asks for; its first two characters are its class. */
static enum postgres_state
judge_error(struct postgres *pg, const PGresult *r)
{
	const char *code = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (PQstatus(pg->conn) == CONNECTION_BAD || code == NULL ||
	    text == NULL)
		return fail(pg, text != NULL ? text : PQerrorMessage(pg->conn));
	if (strncmp(code, "22", 2) == 0 || strncmp(code, "23", 2) == 0 ||
	    strncmp(code, "42", 2) == 0) {
		snprintf(pg->why, sizeof pg->why, "%s: %s (%s), %s", pg->call,
		    text, code, remedy(code));
		hang_up(pg);
		pg->link = LINK_FAULT;
		return POSTGRES_FAULT;
	}
	/* A new connection, because a server that is read-only (25006) or
	 * leaves (57P0x) may have a successor; the rest is too rare for a
	 * second way. */
	return fail(pg, text);
}

static const char *
remedy(const char *code)
{
	static const char *const shape[] = {
	    "42P01", "42703", "42P10", "42804", "42883", "23502", "23514"};

	for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
		if (strcmp(code, shape[i]) == 0)
			return "run incr-db create";
	if (strcmp(code, "42501") == 0)
		return "grant what incr(7) says";
	return "see incr-flush(1)";
}

/* The connection is of no use: another after a while. */
static enum postgres_state
fail(struct postgres *pg, const char *why)
{
	bool calling = pg->call != NULL;

	explain(pg, why);
	hang_up(pg);
	pg->at_ms = clock_ms() + backoff_next(&pg->backoff);
	return calling ? POSTGRES_FAILED : POSTGRES_DOWN;
}

static void
hang_up(struct postgres *pg)
{
	PQfinish(pg->conn);
	pg->conn = NULL;
	pg->link = LINK_OFF;
	pg->call = NULL;
}

/* Keeps the first line. */
static void
explain(struct postgres *pg, const char *text)
{
	snprintf(pg->why, sizeof pg->why, "%.*s", (int)strcspn(text, "\n"),
	    *text == '\0' ? "the connection was lost" : text);
}

bool
postgres_idle(const struct postgres *pg)
{
	return pg->link == LINK_UP && pg->call == NULL &&
	       clock_ms() >= pg->at_ms;
}

const char *
postgres_why(const struct postgres *pg)
{
	return pg->why[0] == '\0' ? NULL : pg->why;
}

void
postgres_put(
    struct postgres_params *p, unsigned type, const void *value, size_t len)
{
	p->types[p->n] = type;
	p->values[p->n] = value;
	p->lengths[p->n++] = (int)len;
}

int
postgres_call(struct postgres *pg, const char *name, const char *statement,
    const struct postgres_params *p)
{
	static const int binary[POSTGRES_PARAMS_MAX] = {1, 1, 1, 1, 1, 1};

	if (!postgres_idle(pg))
		return -1;
	if (PQsendQueryParams(pg->conn, statement, p->n, p->types, p->values,
		p->lengths, binary, 1) == 0) {
		fail(pg, PQerrorMessage(pg->conn));
		return 0;
	}
	PQclear(pg->rows);
	pg->rows = NULL;
	pg->call = name;
	pg->flushing = true;
	pg->deadline_ms = clock_ms() + POSTGRES_REPLY_MS;
	for (int i = 0; i < p->n; i++)
		if (p->lengths[i] > BULKY_BYTES)
			pg->bulky = true;
	return 0;
}

size_t
postgres_rows(const struct postgres *pg)
{
	return (size_t)PQntuples(pg->rows);
}

const char *
postgres_value(const struct postgres *pg, size_t i, size_t len)
{
	if (i >= postgres_rows(pg) || PQnfields(pg->rows) < 1 ||
	    (size_t)PQgetlength(pg->rows, (int)i, 0) != len)
		return NULL;
	return PQgetvalue(pg->rows, (int)i, 0);
}

const char *
postgres_bytes(const struct postgres *pg, size_t i, size_t *ret_len)
{
	if (i >= postgres_rows(pg) || PQnfields(pg->rows) < 1)
		return NULL;
	*ret_len = (size_t)PQgetlength(pg->rows, (int)i, 0);
	return PQgetvalue(pg->rows, (int)i, 0);
}
