/*
 * In: a folder of metrics, one file per process, incr(7).  Out: the series of
 * all of them as one Prometheus text, HELP and TYPE once per name, on standard
 * output, or with --serve as the answer to GET /metrics.  A file that can't be
 * read is named on standard error, the others are shown all the same, and the
 * status is 111.
 *
 * It owns nothing and changes nothing.  Killed at any line, it has written the
 * beginning of a text; so whoever keeps it in a file writes that aside and
 * renames it once the status is 0.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/metrics_merge.h"
#include "base/options.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "net/listen.h"
#include "serve/metrics_server.h"
#include "serve/port_file.h"
#include "serve/routes.h"

static const char *listen_at, *port_file, *folder;
static struct stat served; /* the folder */
static bool is_open;
static struct sandbox sandbox = {.needs = SANDBOX_ACCEPT};

static const char *set_listen(void *dest, const char *text);

static const struct option_def defs[] = {
    {.letter = 's',
	.name = "serve",
	.arg = "ADDR",
	.help = "serve GET /metrics at host:port or a Unix socket",
	.kind = OPTIONS_CALL,
	.dest = &listen_at,
	.call = set_listen},
    {.name = "open",
	.help = "also where other hosts reach it",
	.kind = OPTIONS_FLAG,
	.dest = &is_open},
    {.name = "port-file",
	.arg = "FILE",
	.help = "write the TCP port there",
	.kind = OPTIONS_TEXT,
	.dest = &port_file},
    OPTIONS_SANDBOX(&sandbox),
};

static const struct options_prog prog = {.name = "incr-metrics",
    .operands = "[DIR]",
    .purpose = "Shows the metrics of all programs as one text.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .sandbox = &sandbox};

static void find_folder(int argc, char **argv);
static int open_sockets(struct metrics_server *s);
static _Noreturn void serve(struct metrics_server *s);
static int make(struct buf *out);
static void leave_if_replaced(void);
static int show(void);
static void say_unread(const struct metrics_unread *unread);
static void write_all(const struct buf *text);

int
main(int argc, char **argv)
{
	static struct metrics_server server;

	log_name(prog.name);
	signals_default();
	find_folder(argc, argv);
	if (metrics_server_open(&server, make) < 0)
		log_die(EXIT_TEMPFAIL, "epoll: %s", strerror(errno));
	if (open_sockets(&server) > 0)
		serve(&server);
	return show();
}

static const char *
set_listen(void *dest, const char *text)
{
	*(const char **)dest = text;
	return listen_judge(text);
}

static void
find_folder(int argc, char **argv)
{
	int first = options_parse(&prog, argc, argv);

	folder = getenv("INCR_METRICS_DIR");
	if (first + 1 < argc)
		log_die(EXIT_CONFIG, "%s: takes one folder; see %s --help",
		    options_shown(argv[first + 1]), prog.name);
	if (first < argc)
		folder = argv[first];
	if (folder == NULL || *folder == '\0')
		log_die(EXIT_CONFIG,
		    "needs DIR or INCR_METRICS_DIR; see %s "
		    "--help",
		    prog.name);
}

/* -- a server -------------------------------------------------------------- */

/* How many: those of LISTEN_FDS, and that of --serve. */
static int
open_sockets(struct metrics_server *s)
{
	static const struct acceptor none;
	const struct acceptor *a = &s->acceptor;
	const char *why;
	int n = acceptor_inherit(&s->acceptor, ROUTES_METRICS, &why);

	if (n < 0)
		log_die(log_status(why), "LISTEN_FDS: %s", why);
	if (n == 0 && listen_at == NULL)
		return 0;
	if (n == 0 &&
	    acceptor_open(&s->acceptor, listen_at, ROUTES_METRICS, &why) < 0)
		log_die(log_status(why), "%s: %s", listen_at, why);
	if (!is_open && !acceptor_is_local(a)) {
		acceptor_close(&s->acceptor);
		log_die(EXIT_CONFIG,
		    "%s: reachable from other hosts: needs --open",
		    n > 0 ? "LISTEN_FDS" : listen_at);
	}
	if (port_file != NULL && port_file_write(port_file, a, &none) < 0) {
		acceptor_close(&s->acceptor);
		log_die(EXIT_CONFIG, "--port-file: %s: %s", port_file,
		    strerror(errno));
	}
	return (int)a->n;
}

/* A folder that is missing may come: the next start looks again. */
static _Noreturn void
serve(struct metrics_server *s)
{
	if (access(folder, R_OK | X_OK) < 0 || stat(folder, &served) < 0)
		log_die(EXIT_TEMPFAIL, "%s: %s", options_shown(folder),
		    strerror(errno));
	unsetenv("INCR_METRICS_DIR"); /* nothing is written there */
	sandbox_folder(&sandbox, folder, SANDBOX_READ);
	sandbox_folder(&sandbox, "/proc", SANDBOX_READ);
	(void)sandbox_enter(&sandbox);
	for (;;)
		if (metrics_server_step(s) < 0)
			log_die(EXIT_TEMPFAIL, "epoll: %s", strerror(errno));
}

/* What can't be read is said once, until all can be. */
static int
make(struct buf *out)
{
	static bool said, said_file;
	struct metrics_unread unread = {0};
	DIR *d = opendir(folder);
	bool failed = d == NULL || metrics_merge(d, out, &unread) < 0;

	if (failed && !said)
		log_say("%s: %s", options_shown(folder), strerror(errno));
	if (failed)
		leave_if_replaced();
	said = failed;
	if (unread.n > 0 && !said_file)
		say_unread(&unread);
	said_file = unread.n > 0;
	if (d != NULL)
		closedir(d);
	return failed ? -1 : 0;
}

/* The sandbox allows the folder of the start, and none that is made in its
 * place later: the next start opens that. */
static void
leave_if_replaced(void)
{
	struct stat now;

	if (stat(folder, &now) == 0 &&
	    (now.st_dev != served.st_dev || now.st_ino != served.st_ino))
		log_die(EXIT_TEMPFAIL, "%s: replaced since the start",
		    options_shown(folder));
}

/* -- standard output ------------------------------------------------------- */

/* The status: EXIT_TEMPFAIL if a file could not be read. */
static int
show(void)
{
	struct metrics_unread unread;
	struct buf text = {0};
	DIR *d = opendir(folder);

	if (d == NULL)
		log_die(EXIT_CONFIG, "%s: %s", options_shown(folder),
		    strerror(errno));
	if (metrics_merge(d, &text, &unread) < 0)
		log_die(EXIT_TEMPFAIL, "%s: %s", options_shown(folder),
		    strerror(errno));
	closedir(d);
	if (unread.n > 0)
		say_unread(&unread);
	write_all(&text);
	buf_free(&text);
	return unread.n > 0 ? EXIT_TEMPFAIL : EXIT_DELIVERED;
}

static void
say_unread(const struct metrics_unread *unread)
{
	log_say("%s/%s: %s", folder, unread->name, strerror(unread->error));
	if (unread->n > 1)
		log_say("%s: %zu more file%s can not be read", folder,
		    unread->n - 1, unread->n == 2 ? "" : "s");
}

static void
write_all(const struct buf *text)
{
	io_output(STDOUT_FILENO);
	if (io_write_all(STDOUT_FILENO, buf_ptr(text), text->len, IO_FOREVER) <
		0 ||
	    io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
}
