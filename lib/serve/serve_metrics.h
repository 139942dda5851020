/*
 * What incr-serve counts, and what it tells a scraper (layer 3).
 */
#ifndef INCR_SERVE_METRICS_H
#define INCR_SERVE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http_status.h"

/* 0, or -1 with errno if INCR_METRICS_DIR can't be written: it goes on
 * without. */
int serve_metrics_open(const char *prog);

/* A request was answered, after so many microseconds. */
void serve_metrics_count(enum http_status status, int64_t us);

/* The state of now; as metrics_tick. */
int64_t serve_metrics_tick(
    int64_t now_ms, size_t connections, uint64_t in_flight);

/* The state of the end. */
void serve_metrics_close(void);

/*
 * Adds what a scrape gets: all files of INCR_METRICS_DIR as one text, HELP
 * and TYPE once per name; this program's own series if it is not set, or
 * there is no such folder.  0, or -1 with errno if it can't be read or memory
 * is gone.
 */
int serve_metrics_scrape(struct buf *out);

#endif
