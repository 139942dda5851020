/*
 * What is said first on a connection to Postgres: one text of several
 * statements, in one transaction.  Pure.
 */
#ifndef INCR_PG_GREETING_H
#define INCR_PG_GREETING_H

#include <stddef.h>

/*
 * Writes it: of its statements the last with a row has client_min_messages,
 * then expressions.  backend is the pid that the server gave the connection
 * (PQbackendPID).  0, or -1 if it does not fit size.
 *
 * The server is asked to notice within PG_GREETING_GONE_MS that this client is
 * gone: the session, and the locks of its transaction, go then.  A pooler
 * lends a connection, with another pid: there nothing is left set.  What the
 * URL sets stays.
 */
enum { PG_GREETING_GONE_MS = 6000 };
int pg_greeting_write(
    char *text, size_t size, const char *expressions, int backend);

#endif
