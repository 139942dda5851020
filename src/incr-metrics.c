/*
 * In: a folder of metrics, one file per process, incr(7).  Out: the series of
 * all of them as one Prometheus text on standard output, HELP and TYPE once
 * per name.
 *
 * It owns nothing and changes nothing.  Killed at any line: what was written
 * is the beginning of a text, so whoever keeps it in a file writes that aside
 * and renames it once the status is 0.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/metrics_merge.h"
#include "base/options.h"

static const struct options_prog prog = {.name = "incr-metrics",
    .operands = "[DIR]",
    .purpose = "Shows the metrics of all programs as one text."};

static const char *find_folder(int argc, char **argv);
static void read_all(const char *folder, struct buf *ret);
static void write_all(const struct buf *text);

int
main(int argc, char **argv)
{
	struct buf text = {0};

	log_name(prog.name);
	read_all(find_folder(argc, argv), &text);
	write_all(&text);
	buf_free(&text);
	return EXIT_DELIVERED;
}

static const char *
find_folder(int argc, char **argv)
{
	int first = options_parse(&prog, argc, argv);
	const char *folder = getenv("INCR_METRICS_DIR");

	if (first + 1 < argc)
		log_die(EXIT_CONFIG, "%s: one folder at a time; see %s --help",
		    argv[first + 1], prog.name);
	if (first < argc)
		folder = argv[first];
	if (folder == NULL || *folder == '\0')
		log_die(EXIT_CONFIG,
		    "DIR: give the folder, or set INCR_METRICS_DIR");
	return folder;
}

static void
read_all(const char *folder, struct buf *ret)
{
	DIR *d = opendir(folder);

	if (d == NULL)
		log_die(EXIT_CONFIG, "%s: %s", folder, strerror(errno));
	if (metrics_merge(d, ret) < 0)
		log_die(EXIT_TEMPFAIL, "%s: %s", folder, strerror(errno));
	closedir(d);
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
