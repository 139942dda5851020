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
#include "postgres/pg_hosts.h"
#include "postgres/pg_url.h"
#include "postgres/postgres.h"

struct pg_connect {
	const char *url; /* as the options keep it, where it may change */
	const char *name;
	char *text;              /* the URL as it was at first, NULL: none */
	PQconninfoOption *login; /* has user and password, NULL: as in text */
	struct pg_hosts *hosts;  /* NULL: not known yet */
	struct pg_hosts_lists found; /* their addresses */
	bool looking;
	struct once once;
};

static int learn_hosts(struct pg_connect *c);
static struct pg_conn *begin(const struct pg_connect *c);
static PQconninfoOption *ask_libpq(const struct pg_connect *c);
static void read_login(struct pg_connect *c);
static int name_place(struct pg_connect *c, const PQconninfoOption *all);
static const char *part(const PQconninfoOption *all, const char *keyword);
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
	pg_hosts_close(c->hosts);
	buf_free(&c->once.place);
	free(c->text);
	free(c);
}

int
pg_connect_start(struct pg_connect *c, char ret_warning[REASON_MAX],
    struct pg_conn **ret, char ret_why[REASON_MAX])
{
	const char *said;
	int known;

	*ret = NULL;
	if (!c->looking && learn_hosts(c) < 0)
		return reason_set(ret_why, LOG_NO_MEMORY);
	known = pg_hosts_look(c->hosts, &c->found, ret_why);
	c->looking = known == 0;
	if (known <= 0)
		return known;
	read_login(c);
	*ret = begin(c);
	if (*ret == NULL)
		return reason_set(ret_why, LOG_NO_MEMORY);
	PQsetNoticeReceiver(*ret, note_warning, ret_warning);
	/* The only way to the SQLSTATE of a refused connection. */
	PQsetErrorVerbosity(*ret, PQERRORS_VERBOSE);
	if (PQstatus(*ret) != CONNECTION_BAD)
		return 1;
	said = PQerrorMessage(*ret);
	reason_set(ret_why, "%.*s", (int)strcspn(said, "\n"), said);
	PQfinish(*ret);
	*ret = NULL;
	return -1;
}

/* 0, or -1 if memory is gone. */
static int
learn_hosts(struct pg_connect *c)
{
	PQconninfoOption *all = ask_libpq(c);
	struct pg_hosts_lists told = {.host = part(all, "host"),
	    .hostaddr = part(all, "hostaddr"),
	    .port = part(all, "port")};

	if (all == NULL)
		return -1;
	if (c->once.place.len == 0 && name_place(c, all) == 0)
		once_look(&c->once);
	if (c->hosts == NULL || !pg_hosts_are(c->hosts, &told)) {
		pg_hosts_close(c->hosts);
		c->hosts = pg_hosts_open(&told);
	}
	PQconninfoFree(all);
	return c->hosts == NULL ? -1 : 0;
}

/* What it makes of the URL, its service and the variables.  An sslmode that is
 * none ends the connection before anything is looked up. */
static PQconninfoOption *
ask_libpq(const struct pg_connect *c)
{
	const char *const names[] = {"dbname", "sslmode", NULL};
	const char *const values[] = {c->text, "nowhere", NULL};
	PGconn *conn = PQconnectStartParams(names, values, 1);
	PQconninfoOption *all = conn == NULL ? NULL : PQconninfo(conn);

	PQfinish(conn);
	return all;
}

static struct pg_conn *
begin(const struct pg_connect *c)
{
	char silence[16];
	/* What stands before dbname is a default that the URL may override,
	 * what stands behind it overrides the URL. */
	const char *const names[] = {"fallback_application_name",
	    "tcp_user_timeout", "keepalives_idle", "keepalives_interval",
	    "keepalives_count", "target_session_attrs", "dbname", "user",
	    "password", "host", "hostaddr", "port", NULL};
	const char *const values[] = {c->name, silence, "3", "1", "3",
	    getenv("PGTARGETSESSIONATTRS") == NULL ? "read-write" : NULL,
	    c->text, part(c->login, "user"), part(c->login, "password"),
	    c->found.host, c->found.hostaddr, c->found.port, NULL};

	snprintf(silence, sizeof silence, "%d", POSTGRES_SILENCE_MS);
	return PQconnectStartParams(names, values, 1);
}

/* What libpq has made of the URL and its variables, without the login.  0, or
 * -1 if memory is gone. */
static int
name_place(struct pg_connect *c, const PQconninfoOption *all)
{
	static const char *const words[] = {
	    "host", "hostaddr", "port", "dbname"};
	struct buf *place = &c->once.place;
	int failed = buf_addf(place, "postgres") < 0;

	for (const PQconninfoOption *o = all; !failed && o->keyword != NULL;
	     o++)
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (strcmp(o->keyword, words[i]) == 0 && o->val != NULL)
				failed |= buf_addf(
				    place, " %s=%s", o->keyword, o->val);
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

/* NULL: not told. */
static const char *
part(const PQconninfoOption *all, const char *keyword)
{
	const PQconninfoOption *o = all;

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
