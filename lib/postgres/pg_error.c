/* Judges errors of Postgres: worth another try, or configuration. */
#include "postgres/pg_error.h"

#include <stddef.h>
#include <string.h>

bool
pg_error_is_permanent(const char *sqlstate)
{
	static const char *const classes[] = {"0A", "22", "23", "42"};

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

const char *
pg_error_remedy(const char *sqlstate)
{
	/* The tables are missing, or have another shape than ours. */
	static const char *const shape[] = {
	    "42P01", "42703", "42P10", "42804", "42883", "23502", "23514"};

	for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
		if (strcmp(sqlstate, shape[i]) == 0)
			return "run incr-db create";
	if (strcmp(sqlstate, "42501") == 0)
		return "grant what incr(7) says";
	/* What statements_apply makes of too few rows; a rule can't stand
	 * where rows are counted. */
	if (strcmp(sqlstate, "22P02") == 0 || strcmp(sqlstate, "0A000") == 0)
		return "a trigger or a rule keeps rows out of increments";
	return "see incr-flush(1)";
}

bool
pg_error_is_login(const char *text)
{
	bool any = false;

	while (text != NULL) {
		size_t len = strcspn(text, "\n");
		const char *code = memmem(text, len, ":  28", 5);

		if (code == NULL)
			code = memmem(text, len, ":  3D", 5);
		if (strncmp(text, "connection to server", 20) == 0) {
			if (code == NULL)
				return false;
			any = true;
		}
		text = text[len] == '\0' ? NULL : text + len + 1;
	}
	return any;
}

const char *
pg_error_login_remedy(const char *text)
{
	return strstr(text, ":  3D") == NULL
		   ? ""
		   : "; create it, then run incr-db create";
}
