/*
 * Many Prometheus text files as one (layer 2).
 */
#ifndef INCR_SCRAPE_H
#define INCR_SCRAPE_H

#include "buf.h"

/*
 * Adds the series of all *.prom files in dir: those of one name together,
 * after its HELP and TYPE, once.  Files that can't be read are left out, and
 * so is what is over the bounds below.  0, or -1 if memory is gone.
 */
enum { SCRAPE_FILES_MAX = 1000, SCRAPE_FILE_MAX = 1 << 20, SCRAPE_NAMES = 256 };

int scrape_merge(const char *dir, struct buf *out);

#endif
