/*
 * What an error of Postgres asks for: another try, or another configuration.
 * Pure.  SQLSTATEs are those of appendix A of Postgres's manual; the first
 * two characters are the class.
 */
#ifndef INCR_PG_ERROR_H
#define INCR_PG_ERROR_H

#include <stdbool.h>

/*
 * Is a statement that failed with this SQLSTATE of no use until somebody
 * changes the table, the privileges or the program?  So are features that
 * a table does not support (0A), data exceptions (22), violated constraints
 * (23), and syntax errors and missing privileges (42).  Any other one may pass.
 */
bool pg_error_is_permanent(const char *sqlstate);

/* What to do about a permanent error; constant. */
const char *pg_error_remedy(const char *sqlstate);

/*
 * Did every host that was tried refuse user or password (class 28), or say that
 * there is no such database (3D)?  text is PQerrorMessage of a connection that
 * failed, PQERRORS_VERBOSE:
 *
 *	connection to server at "HOST" ..., failed: FATAL:  28P01: ...
 *	connection to server at "HOST" ..., failed: Connection refused
 *		Is the server running on that host ...
 */
bool pg_error_is_login(const char *text);

/* What to do about a connection that failed so, with "; " in front; constant,
 * empty if the text says enough. */
const char *pg_error_login_remedy(const char *text);

#endif
