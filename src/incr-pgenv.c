/*
 * A chain loader: becomes a command that uses libpq, psql for one, with the
 * variables of libpq set to what a URL of ours says.  So nothing of the URL is
 * in the arguments, where everybody on the machine could read its password, and
 * the command is at the same server as incr-flush.
 *
 * It has no input, no output, and no increment.  Killed at any line it leaves
 * nothing behind.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "postgres/pg_url.h"

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 /* as of env(1) */ };

static const char *database_url;

static const struct option_def defs[] = {
    OPTIONS_DATABASE(&database_url, pg_url_judge, "the database"),
};

static const struct options_prog prog = {.name = "incr-pgenv",
    .operands = "-- COMMAND [ARG...]",
    .purpose = "Becomes a command of Postgres, such as psql, that connects to "
	       "a database.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs};

int
main(int argc, char **argv)
{
	int command = options_command(argc, argv);
	char why[REASON_MAX];

	log_name(prog.name);
	if (options_parse(&prog, command, argv) < command ||
	    command + 1 >= argc)
		log_die(
		    EXIT_CONFIG, "needs -- COMMAND; see %s --help", prog.name);
	if (pg_url_export(database_url, why) < 0)
		log_die(log_status(why), "postgres: %s", why);
	execvp(argv[command + 1], argv + command + 1);
	log_die(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE, "%s: %s",
	    options_shown(argv[command + 1]), strerror(errno));
}
