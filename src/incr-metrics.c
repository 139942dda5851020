/*
 * In: a folder of metrics, one file per process, incr(7).  Out: the series of
 * all of them as one Prometheus text on standard output, HELP and TYPE once
 * per name.  A file that can't be read is named on standard error, the others
 * are shown all the same, and the status is 111.
 *
 * It owns nothing and changes nothing.  Killed at any line, it has written the
 * beginning of a text; so whoever keeps it in a file writes that aside and
 * renames it once the status is 0.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/metrics_merge.h"
#include "base/options.h"
#include "base/signals.h"

static const struct options_prog prog = {.name = "incr-metrics",
    .operands = "[DIR]",
    .purpose = "Shows the metrics of all programs as one text."};

static const char *find_folder(int argc, char **argv);
static int read_all(const char *folder, struct buf *ret);
static void write_all(const struct buf *text);

int
main(int argc, char **argv)
{
	struct buf text = {0};
	int status;

	log_name(prog.name);
	signals_default();
	status = read_all(find_folder(argc, argv), &text);
	write_all(&text);
	buf_free(&text);
	return status;
}

static const char *
find_folder(int argc, char **argv)
{
	int first = options_parse(&prog, argc, argv);
	const char *folder = getenv("INCR_METRICS_DIR");

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
	return folder;
}

/* The status: EXIT_TEMPFAIL if a file could not be read. */
static int
read_all(const char *folder, struct buf *ret)
{
	struct metrics_unread unread;
	DIR *d = opendir(folder);

	if (d == NULL)
		log_die(EXIT_CONFIG, "%s: %s", options_shown(folder),
		    strerror(errno));
	if (metrics_merge(d, ret, &unread) < 0)
		log_die(EXIT_TEMPFAIL, "%s: %s", options_shown(folder),
		    strerror(errno));
	closedir(d);
	if (unread.n == 0)
		return EXIT_DELIVERED;
	log_say("%s/%s: %s", folder, unread.name, strerror(unread.error));
	if (unread.n > 1)
		log_say("%s: %zu more file%s can not be read", folder,
		    unread.n - 1, unread.n == 2 ? "" : "s");
	return EXIT_TEMPFAIL;
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
