/*
 * A chain loader: listens at addresses, then becomes a command that finds the
 * sockets as sd_listen_fds(3) does.  A supervisor as that command keeps them
 * while it replaces a server: clients that connect meanwhile wait, and the next
 * server answers them.
 *
 * It has no input, no output, and no increment.  Killed at any line before the
 * exec it leaves at most a Unix socket at which nobody listens, which the next
 * one replaces.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "net/listen.h"

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 /* as of env(1) */ };

static const struct options_prog prog = {.name = "incr-listen",
    .operands = "ADDR... -- COMMAND [ARG...]",
    .purpose =
	"Listens at addresses, then becomes a command with the sockets."};

static int open_all(char **addrs, int n, struct listener *ret);
static _Noreturn void give_up(
    struct listener *l, int n, int status, const char *what);
static void close_all(struct listener *l, int n);

int
main(int argc, char **argv)
{
	struct listener l[LISTEN_MAX];
	int command = options_command(argc, argv), first, n;

	log_name(prog.name);
	first = options_parse(&prog, command, argv);
	if (first == command || command + 1 >= argc)
		log_die(EXIT_CONFIG, "needs ADDR... -- COMMAND; see %s --help",
		    prog.name);
	n = open_all(argv + first, command - first, l);
	if (listen_hand_over(l, n) < 0)
		give_up(l, n, EXIT_TEMPFAIL, "LISTEN_FDS");
	execvp(argv[command + 1], argv + command + 1);
	give_up(l, n, errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE,
	    options_shown(argv[command + 1]));
}

/* How many sockets that makes. */
static int
open_all(char **addrs, int n, struct listener *ret)
{
	const char *why;
	int opened = 0, more;

	for (int i = 0; i < n; i++) {
		more = listen_open(
		    addrs[i], ret + opened, LISTEN_MAX - opened, &why);
		if (more < 0) {
			close_all(ret, opened);
			log_die(log_status(why), "%s: %s",
			    options_shown(addrs[i]), why);
		}
		opened += more;
	}
	return opened;
}

/* For the reason in errno. */
static void
give_up(struct listener *l, int n, int status, const char *what)
{
	const char *why = strerror(errno);

	close_all(l, n);
	log_die(status, "%s: %s", what, why);
}

static void
close_all(struct listener *l, int n)
{
	while (n > 0)
		listen_close(&l[--n]);
}
