/*
 * Many Prometheus text files as one (layer 2).
 */
#ifndef INCR_METRICS_MERGE_H
#define INCR_METRICS_MERGE_H

#include <dirent.h>

#include "base/buf.h"

/*
 * Adds the series of all *.prom files in dir (borrowed): those of one name
 * together, after its HELP and TYPE, once.  Files that can't be read are left
 * out, as are those of processes that are gone (metrics_stale) and what is
 * over the bounds below.  0, or -1 with errno if the folder can't be read or
 * memory is gone.
 */
enum {
	METRICS_MERGE_FILES_MAX = 1000,
	METRICS_MERGE_FILE_MAX = 1 << 20,
	METRICS_MERGE_NAMES = 256
};

int metrics_merge(DIR *dir, struct buf *out);

#endif
