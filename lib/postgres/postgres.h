/*
 * A connection to Postgres: it connects by itself, carries one statement at
 * a time, and connects again with back-off when it is lost.  It never blocks,
 * prints nothing, and knows no table.  Only postgres.c, pg_connect.c and
 * pg_answer.c include libpq.  A program's loop:
 *
 *	deadline = postgres_wait(pg, &pfd);         what to poll for
 *	... io_poll ...
 *	switch (postgres_step(pg, pfd.revents))     POSTGRES_DONE: read the rows
 */
#ifndef INCR_POSTGRES_H
#define INCR_POSTGRES_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "net/certificate.h"
#include "postgres/pg_answer.h"

enum {
	POSTGRES_CONNECT_MS = 10000, /* for all hosts together */
	POSTGRES_SILENCE_MS = 5000,  /* without a TCP acknowledgement: lost */
	POSTGRES_REPLY_MS = 300000,  /* a statement may wait for a lock */
	POSTGRES_REST_MS = 20000,    /* idle: memory is given back */
	POSTGRES_GREETED = 4         /* expressions of a greeting */
};

struct postgres;

enum postgres_state {
	POSTGRES_DOWN,    /* not connected (yet); tried again by itself */
	POSTGRES_IDLE,    /* connected; a call may begin */
	POSTGRES_CALLING, /* a call is under way */
	POSTGRES_DONE,    /* committed without a warning; rows may be read */
	POSTGRES_FAILED,  /* the call was not answered, or with an error, or
			   * with other rows than its shape says: it may have
			   * been done, or be done later */
	POSTGRES_FAULT    /* configuration: trying again is of no use; never
			   * of what was right before, see postgres_prove */
};

/*
 * url: a connection string or URL as libpq takes it, NULL for the PG*
 * variables; name is what Postgres calls us; greeting, POSTGRES_GREETED
 * expressions of SQL with commas between them, are read on every new
 * connection.  All three are borrowed for ever.  User and password of a url
 * that was @FILE are read anew before every connection, see options_refresh. No
 * input or output yet.  NULL with *ret_why, constant text without the URL.
 * Caller closes.
 *
 * Unless url or PGTARGETSESSIONATTRS says otherwise, a server that can't be
 * written to (a standby) is no server: of several hosts the next one is tried.
 */
struct postgres *postgres_open(const char *url, const char *name,
    const char *greeting, const char **ret_why);
void postgres_close(struct postgres *pg);

/*
 * Fills *ret_pfd (fd -1: none) with what to wait for.  Returns the
 * clock_ms() at which postgres_step is due even if nothing is ready.
 */
int64_t postgres_wait(const struct postgres *pg, struct pollfd *ret_pfd);

/*
 * Does what can be done now; revents are those of the pollfd, 0 if none.
 * POSTGRES_DONE and POSTGRES_FAILED are returned once per call.
 */
enum postgres_state postgres_step(struct postgres *pg, short revents);

/* The connection as it is now. */
struct postgres_status {
	bool idle; /* connected and no call under way: a call may begin */
	uint64_t connections;              /* that were made, up to this one */
	struct certificate_expiry expires; /* of its certificates */
	char why[REASON_MAX]; /* why it is down, failed or faulty (then
			       * with the remedy): one line, without URL
			       * and password; empty if nothing failed
			       * since the last POSTGRES_DONE */
};

/* Lives as long as pg; every call of this module may change it. */
const struct postgres_status *postgres_status(const struct postgres *pg);

/* The text of expression i (from 0) of the greeting, on the connection that
 * is up; NULL if it is null.  Borrowed until the connection is lost. */
const char *postgres_greeted(const struct postgres *pg, int i);

/* -- calls --------------------------------------------------------------- */

enum { POSTGRES_PARAMS_MAX = 10 };

/* Parameters of a statement, in binary; all zero: none.  Values are borrowed
 * until postgres_call returns. */
struct postgres_params {
	int n;
	unsigned types[POSTGRES_PARAMS_MAX]; /* object ids */
	const char *values[POSTGRES_PARAMS_MAX];
	int lengths[POSTGRES_PARAMS_MAX];
	struct pg_shape shape; /* of the rows that answer it */
};

/*
 * Begins one statement, whose rows come in binary; name (constant text) is
 * what messages call it.  0, or -1 if not idle.  A connection that is found
 * broken is 0, too: POSTGRES_DOWN follows, and the call was not begun.
 */
int postgres_call(struct postgres *pg, const char *name, const char *statement,
    const struct postgres_params *p);

/*
 * The caller has found the tables right.  From now on no error of a statement
 * (a table renamed, a privilege revoked) is POSTGRES_FAULT: it is
 * POSTGRES_FAILED and worth another try.  The same holds, without this, for
 * user, password and settings after the first greeting that was answered.
 * once.h remembers both.
 */
void postgres_prove(struct postgres *pg);
bool postgres_is_proven(const struct postgres *pg);

/* Rows of the last call that was done, and the first column of row i,
 * borrowed until the next call begins; NULL if it has not len bytes. */
size_t postgres_rows(const struct postgres *pg);
const char *postgres_value(const struct postgres *pg, size_t i, size_t len);
/* The same of whatever length; NULL if there is no such row. */
const char *postgres_bytes(
    const struct postgres *pg, size_t i, size_t *ret_len);

/*
 * For tests, of a connection that never had a server: takes answer as what one
 * answered, first to the greeting, then to the call that was begun last.
 * Returns whether it is such an answer; after a greeting a call may begin.
 */
bool postgres_pretend(struct postgres *pg, struct pg_result *answer);

#endif
