/*
 * Errors of Postgres: which are worth another try, what to do about the
 * others, and when a connection failed by its credentials alone.
 */
#include "check.h"
#include "postgres/pg_error.h"

static void
statements(void)
{
	static const struct {
		const char *sqlstate, *remedy; /* NULL: try again */
	} cases[] = {
	    {"08006", NULL},                /* connection failure */
	    {"25006", NULL},                /* read-only: a standby */
	    {"40001", NULL},                /* serialization failure */
	    {"40P01", NULL},                /* deadlock */
	    {"53100", NULL},                /* disk full */
	    {"57014", NULL},                /* canceled */
	    {"57P01", NULL},                /* shut down */
	    {"XX000", NULL},                /* internal error */
	    {"22003", "see incr-flush(1)"}, /* the sum is out of range */
	    {"23505", "see incr-flush(1)"},
	    {"42601", "see incr-flush(1)"},
	    {"42P01", "run incr-db create"}, /* no table */
	    {"42703", "run incr-db create"}, /* no column */
	    {"42P10", "run incr-db create"}, /* no unique index */
	    {"42804", "run incr-db create"}, /* another type */
	    {"42883", "run incr-db create"}, /* no operator for it */
	    {"23502", "run incr-db create"}, /* a column without default */
	    {"23514", "run incr-db create"}, /* a check of its own */
	    {"42501", "grant what incr(7) says"},
	    {"22P02", "a trigger or a rule keeps rows out of increments"},
	    {"0A000", "a trigger or a rule keeps rows out of increments"},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		const char *code = cases[i].sqlstate;

		check(pg_error_is_permanent(code) == (cases[i].remedy != NULL),
		    "%s", code);
		if (cases[i].remedy != NULL)
			check(
			    strcmp(pg_error_remedy(code), cases[i].remedy) == 0,
			    "%s: %s", code, pg_error_remedy(code));
	}
}

#define HOST(reason) "connection to server at \"h\", port 5432 failed: " reason
#define WRONG HOST("FATAL:  28P01: password authentication failed\n")
#define NO_ROLE HOST("FATAL:  28000: role \"nemo\" does not exist\n")
#define NO_DATABASE HOST("FATAL:  3D000: database \"nope\" does not exist\n")
#define REFUSED \
	HOST("Connection refused\n") \
	"\tIs the server running on that host and accepting connections?\n"
#define STARTING HOST("FATAL:  57P03: the database system is starting up\n")

static void
connections(void)
{
	static const struct {
		const char *text;
		bool login;
	} cases[] = {
	    {WRONG, true},
	    {NO_ROLE, true},
	    {WRONG NO_ROLE, true},
	    {HOST("FATAL:  28P01: no newline"), true},
	    {NO_DATABASE, true},
	    {NO_DATABASE WRONG, true},
	    {NO_DATABASE REFUSED, false},
	    {REFUSED, false},
	    {STARTING, false},
	    {REFUSED WRONG, false}, /* another host may come back */
	    {WRONG REFUSED, false},
	    {WRONG STARTING, false},
	    {"", false},
	    {"could not translate host name: 28\n", false},
	    {"out of memory:  28", false},
	};

	for (size_t i = 0; i < check_n(cases); i++)
		check(pg_error_is_login(cases[i].text) == cases[i].login, "%s",
		    cases[i].text);
}

static void
remedies(void)
{
	check(strcmp(pg_error_login_remedy(WRONG), "") == 0, "password");
	check(strstr(pg_error_login_remedy(NO_DATABASE), "incr-db create") !=
		  NULL,
	    "database");
}

int
main(void)
{
	statements();
	connections();
	remedies();
	return check_end();
}
