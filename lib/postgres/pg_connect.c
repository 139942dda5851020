/* Begins connections to a database, as whom its file says now. */
#include "postgres/pg_connect.h"

#include <postgresql/libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/once.h"
#include "base/options.h"
#include "base/reason.h"
#include "postgres/pg_url.h"
#include "postgres/postgres.h"

struct pg_connect {
	const char *url; /* as the options keep it, where it may change */
	const char *name;
	char *text;              /* the URL as it was at first, NULL: none */
	PQconninfoOption *login; /* has user and password, NULL: as in text */
	struct once once;
};

static void read_login(struct pg_connect *c);
static int name_place(struct pg_connect *c, struct pg_conn *conn);
static const char *part(const struct pg_connect *c, const char *keyword);
static void note_warning(void *arg, const PGresult *notice);

struct pg_connect *
pg_connect_open(const char *url, const char *name, const char **ret_why)
{
	struct pg_connect *c;

	*ret_why = url == NULL ? NULL : pg_url_judge(NULL, url);
	if (*ret_why != NULL)
		return NULL;
	*ret_why = LOG_NO_MEMORY;
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->url = url;
	c->name = name;
	c->text = url == NULL ? NULL : strdup(url);
	if (url != NULL && c->text == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

void
pg_connect_close(struct pg_connect *c)
{
	if (c == NULL)
		return;
	PQconninfoFree(c->login);
	buf_free(&c->once.place);
	free(c->text);
	free(c);
}

struct pg_conn *
pg_connect_start(struct pg_connect *c, char ret_warning[REASON_MAX])
{
	char silence[16];
	/* What stands before dbname is a default that the URL may override,
	 * what stands behind it overrides the URL. */
	const char *const names[] = {"fallback_application_name",
	    "tcp_user_timeout", "keepalives_idle", "keepalives_interval",
	    "keepalives_count", "target_session_attrs", "dbname", "user",
	    "password", NULL};
	const char *values[] = {c->name, silence, "3", "1", "3",
	    getenv("PGTARGETSESSIONATTRS") == NULL ? "read-write" : NULL,
	    c->text, NULL, NULL, NULL};
	enum { USER = 7, PASSWORD };
	struct pg_conn *conn;

	read_login(c);
	values[USER] = part(c, "user");
	values[PASSWORD] = part(c, "password");
	snprintf(silence, sizeof silence, "%d", POSTGRES_SILENCE_MS);
	conn = PQconnectStartParams(names, values, 1);
	if (conn == NULL)
		return NULL;
	PQsetNoticeReceiver(conn, note_warning, ret_warning);
	if (c->once.place.len == 0 && name_place(c, conn) == 0)
		once_look(&c->once);
	return conn;
}

/* What libpq has made of the URL and its variables, without the login.  0, or
 * -1 if memory is gone. */
static int
name_place(struct pg_connect *c, struct pg_conn *conn)
{
	static const char *const words[] = {
	    "host", "hostaddr", "port", "dbname"};
	PQconninfoOption *all = PQconninfo(conn);
	struct buf *place = &c->once.place;
	int failed = all == NULL || buf_addf(place, "postgres") < 0;

	for (PQconninfoOption *o = all; !failed && o->keyword != NULL; o++)
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (strcmp(o->keyword, words[i]) == 0 && o->val != NULL)
				failed |= buf_addf(
				    place, " %s=%s", o->keyword, o->val);
	PQconninfoFree(all);
	if (failed)
		buf_clear(place);
	return failed ? -1 : 0;
}

struct once *
pg_connect_once(struct pg_connect *c)
{
	return &c->once;
}

/* The last login that could be read stays. */
static void
read_login(struct pg_connect *c)
{
	PQconninfoOption *parsed;

	options_refresh(c->url);
	if (c->url == NULL || strcmp(c->url, c->text) == 0) {
		PQconninfoFree(c->login);
		c->login = NULL;
		return;
	}
	if (pg_url_judge(NULL, c->url) != NULL)
		return;
	parsed = PQconninfoParse(c->url, NULL);
	if (parsed == NULL)
		return;
	PQconninfoFree(c->login);
	c->login = parsed;
}

/* NULL: as the URL said at first. */
static const char *
part(const struct pg_connect *c, const char *keyword)
{
	const PQconninfoOption *o = c->login;

	for (; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val;
	return NULL;
}

/* libpq would print notices. */
static void
note_warning(void *arg, const PGresult *notice)
{
	char *warning = arg;
	const char *severity =
	    PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

	if (severity != NULL && strcmp(severity, "WARNING") == 0 &&
	    text != NULL && *warning == '\0')
		reason_set(warning, "%s", text);
}
