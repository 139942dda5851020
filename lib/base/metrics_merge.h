/*
 * Many Prometheus text files as one.
 */
#ifndef INCR_METRICS_MERGE_H
#define INCR_METRICS_MERGE_H

#include <dirent.h>
#include <limits.h>
#include <stddef.h>

#include "base/buf.h"

enum {
	METRICS_MERGE_FILES_MAX = 1000,
	METRICS_MERGE_FILE_MAX = 1 << 20,
	METRICS_MERGE_NAMES = 256
};

/* Files that could not be read. */
struct metrics_unread {
	size_t n;
	char name[NAME_MAX + 1]; /* of the first one, in the folder */
	int error;               /* its errno */
};

/*
 * Adds the series of all *.prom files in dir (borrowed): those of one name
 * together, behind its HELP and TYPE, once, if any file has them.  Left out
 * are files of processes that are gone (metrics_folder_is_stale), the gauges of
 * those that are silent (metrics_folder_is_silent), what is no regular file,
 * what is over the bounds above, and files that can't be read: *ret names them,
 * and is always set.  Never waits for a file.  0, or -1 with errno if the
 * folder can't be read or there is no memory.
 */
int metrics_merge(DIR *dir, struct buf *out, struct metrics_unread *ret);

#endif
