/* Judges a database: its settings, what is granted, the shape of its tables. */
#include "inspect/postgres_findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/setting_costs.h"
#include "postgres/survey.h"

enum {
	TABLES = 3,
	COLUMNS_MAX = 5,
	CONNECTIONS_NEAR = 90 /* percent of max_connections */
};

#define CREATE "run incr-db create"

/* What the statements of incr-flush need.  Columns that they do not write need
 * a default. */
static const struct {
	bool unique;
	const char *name, *grants; /* with a space behind each */
	struct {
		const char *name, *type;
		bool written;
	} columns[COLUMNS_MAX];
} due[TABLES] = {
    {true, "increments", "SELECT INSERT UPDATE ",
	{{"key", "uuid", true}, {"value", "numeric", true},
	    {"updated_at", "timestamp with time zone", false}}},
    {true, "incr_ledger", "SELECT INSERT UPDATE DELETE ",
	{{"consumer", "uuid", true}, {"queue", "text", true},
	    {"seq", "bigint", true},
	    {"committed_at", "timestamp with time zone", false},
	    {"lines", "bigint", true}}},
    {false, "incr_database", "SELECT ",
	{{"one", "boolean", true}, {"id", "uuid", true}}},
};

struct seen {
	struct findings *f;
	bool keeps;
	struct {
		bool there, unique, columns[COLUMNS_MAX];
		char missing[SURVEY_WORD_MAX]; /* grants */
	} table[TABLES];
	struct survey_fact fsync, pages, commit, names;
	long standbys;
};

static size_t
place(const char *table)
{
	size_t i = 0;

	while (i < TABLES && strcmp(due[i].name, table) != 0)
		i++;
	return i;
}

static void
see_setting(struct seen *s, const struct survey_fact *fact)
{
	const char *name = fact->word[1], *value = fact->word[2];

	if (strcmp(name, "fsync") == 0)
		s->fsync = *fact;
	else if (strcmp(name, "full_page_writes") == 0)
		s->pages = *fact;
	else if (strcmp(name, "synchronous_commit") == 0)
		s->commit = *fact;
	else if (strcmp(name, "synchronous_standby_names") == 0)
		s->names = *fact;
	else if (strstr(name, "_timeout") != NULL && strcmp(value, "0") != 0)
		findings_add(s->f, FINDING_WARNING,
		    "postgres: %s %s ms: a slow window would be ended again "
		    "and again; ALTER ROLE ... SET %s = 0",
		    name, value, name);
}

static void
see_connections(struct seen *s, const struct survey_fact *fact)
{
	long n = strtol(fact->word[1], NULL, 10);
	long most = strtol(fact->word[2], NULL, 10);

	if (most > 0 && (double)n * 100 >= (double)most * CONNECTIONS_NEAR)
		findings_add(s->f, FINDING_WARNING,
		    "postgres: %ld of %ld connections (max_connections) are "
		    "taken",
		    n, most);
}

static void
see_table(struct seen *s, size_t i, const struct survey_fact *fact)
{
	const char *kind = fact->word[2];

	s->table[i].there = true;
	if (strcmp(kind, "r") != 0 && strcmp(kind, "p") != 0)
		findings_add(s->f, FINDING_ERROR, "%s: no table", due[i].name);
	if (strcmp(fact->word[3], "u") == 0)
		setting_costs_tell(s->f, FINDING_WARNING, due[i].name,
		    "unlogged tables", "an unlogged table");
}

static void
see_grant(struct seen *s, size_t i, const struct survey_fact *fact)
{
	char *missing = s->table[i].missing;
	size_t len = strlen(missing);

	if (strstr(due[i].grants, fact->word[2]) == NULL ||
	    strcmp(fact->word[3], "yes") == 0 ||
	    len + strlen(fact->word[2]) + 3 > SURVEY_WORD_MAX)
		return;
	snprintf(missing + len, SURVEY_WORD_MAX - len, "%s%s",
	    len == 0 ? "" : ", ", fact->word[2]);
}

static void
see_column(struct seen *s, size_t i, const struct survey_fact *fact)
{
	const char *name = fact->word[2], *type = fact->word[3];
	bool written = false;

	for (size_t k = 0; k < COLUMNS_MAX && due[i].columns[k].name != NULL;
	     k++) {
		if (strcmp(due[i].columns[k].name, name) != 0)
			continue;
		s->table[i].columns[k] = true;
		written = due[i].columns[k].written;
		if (strcmp(due[i].columns[k].type, type) != 0)
			findings_add(s->f, FINDING_ERROR,
			    "%s: column %s is %s, must be %s", due[i].name,
			    name, type, due[i].columns[k].type);
	}
	if (!written && strcmp(fact->word[4], "must") == 0)
		findings_add(s->f, FINDING_ERROR,
		    "%s: column %s must have a default, or may be null",
		    due[i].name, name);
}

static void
see(struct seen *s, const struct survey_fact *fact)
{
	const char *what = fact->word[0];
	size_t i = place(fact->word[1]);

	if (strcmp(what, "version") == 0)
		findings_add(
		    s->f, FINDING_OK, "postgres: version %s", fact->word[1]);
	else if (strcmp(what, "setting") == 0)
		see_setting(s, fact);
	else if (strcmp(what, "standbys") == 0)
		s->standbys = strtol(fact->word[1], NULL, 10);
	else if (strcmp(what, "connections") == 0)
		see_connections(s, fact);
	else if (strcmp(what, "wire") == 0 &&
		 strcmp(fact->word[1], "plain") == 0)
		findings_add(s->f, FINDING_WARNING,
		    "postgres: no TLS to another machine: who is on the way "
		    "reads and changes what is counted");
	else if (i == TABLES)
		return;
	else if (strcmp(what, "table") == 0)
		see_table(s, i, fact);
	else if (strcmp(what, "hole") == 0)
		findings_add(s->f, FINDING_ERROR,
		    "%s: partitions are missing; " CREATE " to see which",
		    due[i].name);
	else if (strcmp(what, "grant") == 0)
		see_grant(s, i, fact);
	else if (strcmp(what, "column") == 0)
		see_column(s, i, fact);
	else if (strcmp(what, "unique") == 0)
		s->table[i].unique = true;
	else if (strcmp(what, "trigger") == 0)
		findings_add(s->f, FINDING_WARNING,
		    "%s: a trigger or a rule, %s: where it keeps rows out, no "
		    "window is counted",
		    due[i].name, fact->word[2]);
	else if (strcmp(what, "policy") == 0)
		findings_add(s->f, FINDING_WARNING,
		    "%s: row security is on for this role: where a policy "
		    "keeps rows out, no window is counted",
		    due[i].name);
}

static void
tell_table(const struct seen *s, size_t i)
{
	const char *name = due[i].name;

	if (!s->table[i].there) {
		findings_add(
		    s->f, FINDING_ERROR, "%s: no such table; " CREATE, name);
		return;
	}
	for (size_t k = 0; k < COLUMNS_MAX && due[i].columns[k].name != NULL;
	     k++)
		if (!s->table[i].columns[k])
			findings_add(s->f, FINDING_ERROR,
			    "%s: column %s is missing; " CREATE, name,
			    due[i].columns[k].name);
	if (due[i].unique && !s->table[i].unique)
		findings_add(s->f, FINDING_ERROR,
		    "%s: column %s is no primary key", name,
		    due[i].columns[0].name);
	if (s->table[i].missing[0] != '\0')
		findings_add(s->f, FINDING_ERROR,
		    "%s: %s not granted to this role; incr(7) has the grants",
		    name, s->table[i].missing);
}

static bool
is(const struct survey_fact *setting, const char *value)
{
	return strcmp(setting->word[2], value) == 0;
}

static void
tell_costs(const struct seen *s)
{
	struct findings *f = s->f;
	bool quick = is(&s->commit, "off"), torn = is(&s->pages, "off"),
	     loose = is(&s->fsync, "off");

	if (quick)
		setting_costs_tell(f, FINDING_WARNING, "postgres",
		    "synchronous_commit off", NULL);
	if (loose)
		setting_costs_tell(
		    f, FINDING_WARNING, "postgres", "fsync off", NULL);
	if (torn)
		setting_costs_tell(f, FINDING_WARNING, "postgres",
		    "full_page_writes off", NULL);
	if (!quick && !loose && !torn)
		setting_costs_tell(
		    f, FINDING_OK, "postgres", "default settings", NULL);
}

static void
tell_standbys(const struct seen *s)
{
	bool named = !is(&s->names, ""),
	     waits = is(&s->commit, "on") || is(&s->commit, "remote_apply");

	if (named && waits)
		setting_costs_tell(
		    s->f, FINDING_OK, "postgres", "synchronous standby", NULL);
	else if (named && is(&s->commit, "remote_write"))
		findings_add(s->f, FINDING_WARNING,
		    "postgres: synchronous_commit remote_write: lost if the "
		    "standby loses power as well");
	else if (named || s->standbys > 0)
		setting_costs_tell(s->f,
		    s->keeps ? FINDING_OK : FINDING_WARNING, "postgres",
		    "asynchronous standby", NULL);
}

void
postgres_findings(struct findings *f, const char *facts, size_t len, bool keeps)
{
	struct seen s = {.f = f, .keeps = keeps};
	struct survey_fact fact;

	while (survey_next(&facts, &len, &fact))
		see(&s, &fact);
	tell_costs(&s);
	tell_standbys(&s);
	for (size_t i = 0; i < TABLES; i++)
		tell_table(&s, i);
}
