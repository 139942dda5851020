/*
 * URLs and connection strings of Postgres: judged, and handed on to programs
 * that use libpq.
 */
#ifndef INCR_PG_URL_H
#define INCR_PG_URL_H

#include "base/reason.h"

/* For options.h: NULL, or why text is no URL or connection string; never with
 * parts of it. */
const char *pg_url_judge(void *dest, const char *text);

/*
 * Sets the variables of libpq, PGHOST and so on, so that a program which is
 * told no more connects as we do with url, or NULL: where the variables say.
 * A service is looked up now.  What has no variable, as sslpassword, goes into
 * a service file without a name, in a descriptor that the program inherits:
 * nothing of url is in its arguments.  Of several hosts the one that can be
 * written to is meant, unless url or PGTARGETSESSIONATTRS says otherwise.
 *
 * 0, or -1 with the reason, without url; then the environment may be half
 * changed.
 */
int pg_url_export(const char *url, char ret_why[REASON_MAX]);

#endif
