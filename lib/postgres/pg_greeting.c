/* Writes what is said first on a connection to Postgres. */
#include "postgres/pg_greeting.h"

#include <stdio.h>

/*
 * A pooler may lend a connection that somebody else has set otherwise: the
 * greeting sees the search_path that connections of this role and database
 * begin with, and temporary tables last.
 */
#define SEARCH_PATH \
	"set local search_path to default; " \
	"select set_config('search_path', coalesce(nullif(nullif(" \
	"current_setting('search_path'), ''), '\"\"'), 'public') " \
	"|| ', pg_temp', true); "

/*
 * The first four are for a session that waits for more of a statement, with
 * locks, or to be rid of its answer: a keepalive after 3 s, and 3 more.  A
 * session that executes does not look at its socket, but for the last one: in
 * 5 s a statement is done, or waits for somebody.
 */
#define NOTICE_GONE \
	"select pg_catalog.set_config(s.name, w.value, " \
	"pg_catalog.pg_backend_pid() <> %d) " \
	"from pg_catalog.pg_settings as s join (values " \
	"('tcp_user_timeout', '%d'), ('tcp_keepalives_idle', '3'), " \
	"('tcp_keepalives_interval', '1'), ('tcp_keepalives_count', '3'), " \
	"('client_connection_check_interval', '5000')) as w (name, value) " \
	"on s.name = w.name where s.source <> 'client' " \
	"and (s.name like 'tcp%%' or version() like '%%linux%%'); "

/* client_min_messages: it must be possible to see a warning of COMMIT. */
#define GREETING \
	"begin read only; " SEARCH_PATH NOTICE_GONE \
	"select current_setting('client_min_messages'), %s; commit"

int
pg_greeting_write(char *text, size_t size, const char *expressions, int backend)
{
	int len = snprintf(
	    text, size, GREETING, backend, PG_GREETING_GONE_MS, expressions);

	return len < 0 || (size_t)len >= size ? -1 : 0;
}
