/*
 * Begins connections to one database: what libpq is told by its URL, what by
 * us.  Where the URL was @FILE, user and password are read from the file again
 * each time, so that they can be rotated.  Everything else stays as it was at
 * the start: a window whose outcome is unknown is repeated in the database that
 * it was sent to.
 */
#ifndef INCR_PG_CONNECT_H
#define INCR_PG_CONNECT_H

#include "base/once.h"
#include "base/reason.h"

struct pg_connect;
struct pg_conn; /* libpq's PGconn */

/* url and name as in postgres_open.  NULL with *ret_why, constant text without
 * the URL.  Caller closes. */
struct pg_connect *pg_connect_open(
    const char *url, const char *name, const char **ret_why);
void pg_connect_close(struct pg_connect *c); /* NULL is allowed */

/*
 * 1 with a connection that PQconnectPoll goes on with, which waits for no name
 * server (what Kerberos looks up is not known here); caller finishes.  0: the
 * hosts are being looked up, worth another call in RESOLVE_LOOK_MS.  -1 with
 * the reason.  A file that can't be read, or has no URL now, changes nothing.
 * As long as the connection lives, a warning of the server is written to
 * ret_warning if that is empty.
 */
int pg_connect_start(struct pg_connect *c, char ret_warning[REASON_MAX],
    struct pg_conn **ret, char ret_why[REASON_MAX]);

/* What was right in this database; its marks are read by the first
 * pg_connect_start. */
struct once *pg_connect_once(struct pg_connect *c);

#endif
