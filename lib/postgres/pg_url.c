/* Judges URLs of Postgres, and puts them into the environment. */
#include "postgres/pg_url.h"

#include <ctype.h>
#include <errno.h>
#include <postgresql/libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"

/* libpq's own words about a bad string may show parts of it. */
static const char BAD_URL[] =
    "not a URL or connection string that libpq understands";

/* Anything else is the name of a database to libpq. */
static bool
has_parts(const char *url)
{
	return strstr(url, "://") != NULL || strchr(url, '=') != NULL;
}

const char *
pg_url_judge(void *dest, const char *text)
{
	PQconninfoOption *parsed;

	(void)dest;
	if (!has_parts(text))
		return "not a URL or connection string; a database alone is "
		       "dbname=NAME";
	parsed = PQconninfoParse(text, NULL);
	if (parsed == NULL)
		return BAD_URL;
	PQconninfoFree(parsed);
	return NULL;
}

static PQconninfoOption *
find(PQconninfoOption *all, const char *keyword)
{
	for (PQconninfoOption *o = all; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o;
	return NULL;
}

/* NULL: not given. */
static const char *
value(PQconninfoOption *all, const char *keyword)
{
	const PQconninfoOption *o = find(all, keyword);

	return o == NULL ? NULL : o->val;
}

/* PQconndefaults is silent about a service that is not defined; a connection,
 * which is made to nowhere, is not. */
static int
check_service(char ret_why[REASON_MAX])
{
	static const char *const names[] = {"host", NULL};
	static const char *const values[] = {"/nowhere", NULL};
	static const char nowhere[] = "connection to server ";
	const char *said;
	PGconn *conn;
	int result = 0;

	if (getenv("PGSERVICE") == NULL)
		return 0;
	conn = PQconnectStartParams(names, values, 0);
	if (conn == NULL)
		return reason_set(ret_why, LOG_NO_MEMORY);
	said = PQerrorMessage(conn);
	if (strncmp(said, nowhere, sizeof nowhere - 1) != 0 &&
	    strstr(said, "service") != NULL)
		result =
		    reason_set(ret_why, "%.*s", (int)strcspn(said, "\n"), said);
	PQfinish(conn);
	return result;
}

/* Sets the variable of an option, or adds the option as a line of a service
 * file. */
static int
export_option(const PQconninfoOption *o, const char *text, struct buf *out,
    char ret_why[REASON_MAX])
{
	size_t len = text == NULL ? 0 : strlen(text);
	int failed = 0;

	if (strcmp(o->keyword, "service") == 0)
		return 0;
	if (strcmp(o->keyword, "host") == 0)
		/* Also an empty one: without it Debian's psql takes the port
		 * of a cluster of the machine. */
		failed = setenv(o->envvar, len == 0 ? "" : text, 1);
	else if (o->envvar != NULL && text != NULL)
		failed = setenv(o->envvar, text, 1);
	else if (o->envvar == NULL && len > 0) {
		if (strchr(text, '\n') != NULL ||
		    isspace((unsigned char)text[len - 1]))
			return reason_set(ret_why,
			    "%s: has a newline, or white space at its end",
			    o->keyword);
		failed = buf_addf(out, "%s=%s\n", o->keyword, text);
	}
	return failed == 0 ? 0 : reason_set(ret_why, LOG_NO_MEMORY);
}

/* The service incr-pgenv is what stands in lines. */
static int
export_rest(const struct buf *lines, char ret_why[REASON_MAX])
{
	static const char head[] = "[incr-pgenv]\n";
	char path[sizeof "/proc/self/fd/" + 3 * sizeof(int)];
	int fd;

	if (lines->len == 0)
		return 0;
	fd = memfd_create("incr-pgenv", 0);
	if (fd < 0 || io_write_all(fd, head, sizeof head - 1, IO_FOREVER) < 0 ||
	    io_write_all(fd, buf_ptr(lines), lines->len, IO_FOREVER) < 0)
		return reason_set(ret_why, "memfd: %s", strerror(errno));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (setenv("PGSERVICEFILE", path, 1) < 0 ||
	    setenv("PGSERVICE", "incr-pgenv", 1) < 0)
		return reason_set(ret_why, LOG_NO_MEMORY);
	return 0;
}

/* What url does not say, the service and the variables do. */
static int
merge(PQconninfoOption *all, PQconninfoOption *parsed)
{
	for (PQconninfoOption *o = parsed; o != NULL && o->keyword != NULL; o++)
		if (o->val != NULL) {
			PQconninfoOption *to = find(all, o->keyword);
			char *val = strdup(o->val);

			if (to == NULL || val == NULL) {
				free(val);
				return -1;
			}
			free(to->val);
			to->val = val;
		}
	return 0;
}

static bool
several_hosts(PQconninfoOption *all)
{
	const char *host = value(all, "host"), *addr = value(all, "hostaddr");

	return (host != NULL && strchr(host, ',') != NULL) ||
	       (addr != NULL && strchr(addr, ',') != NULL);
}

static int
export_all(PQconninfoOption *all, bool attrs_told, char ret_why[REASON_MAX])
{
	struct buf lines = {0};
	int result = 0;

	if (unsetenv("PGSERVICE") < 0 || unsetenv("PGSERVICEFILE") < 0)
		return reason_set(ret_why, LOG_NO_MEMORY);
	for (PQconninfoOption *o = all; result == 0 && o->keyword != NULL; o++)
		if (strcmp(o->keyword, "target_session_attrs") == 0 &&
		    !attrs_told && several_hosts(all))
			result =
			    export_option(o, "read-write", &lines, ret_why);
		else
			result = export_option(o, o->val, &lines, ret_why);
	if (result == 0)
		result = export_rest(&lines, ret_why);
	buf_free(&lines);
	return result;
}

int
pg_url_export(const char *url, char ret_why[REASON_MAX])
{
	PQconninfoOption *parsed = NULL, *all = NULL;
	const char *service;
	bool attrs_told = getenv("PGTARGETSESSIONATTRS") != NULL;
	int result = 0;

	if (url != NULL) {
		parsed = has_parts(url) ? PQconninfoParse(url, NULL) : NULL;
		if (parsed == NULL)
			return reason_set(ret_why, BAD_URL);
	}
	service = value(parsed, "service");
	if (service != NULL && setenv("PGSERVICE", service, 1) < 0)
		result = reason_set(ret_why, LOG_NO_MEMORY);
	if (result == 0)
		result = check_service(ret_why);
	if (result == 0) {
		all = PQconndefaults();
		if (all == NULL || merge(all, parsed) < 0)
			result = reason_set(ret_why, LOG_NO_MEMORY);
	}
	attrs_told |= value(parsed, "target_session_attrs") != NULL;
	if (result == 0)
		result = export_all(all, attrs_told, ret_why);
	PQconninfoFree(parsed);
	PQconninfoFree(all);
	return result;
}
