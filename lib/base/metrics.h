/*
 * Counters and gauges, written as a Prometheus text file (layer 2).
 *
 * A program has one table of series, changes their values directly and
 * calls metrics_tick in its loop.  If INCR_METRICS_DIR is set,
 * PROGRAM-PID.prom there is kept up to date every second (written aside
 * and renamed); otherwise every call does nothing.
 */
#ifndef INCR_METRICS_H
#define INCR_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

enum { METRICS_BUCKETS = 12 };

/*
 * One series.  Series of one name stand together in the table and share
 * kind and help.
 */
struct metric {
	const char *name;   /* incr_…, base units, _total for a counter */
	const char *help;   /* one sentence */
	const char *labels; /* code="400", or NULL; never a key */
	enum metrics_kind kind;
	double value;                          /* of a histogram: the sum */
	uint64_t buckets[METRICS_BUCKETS + 1]; /* of a histogram only */
};

/* Upper bounds of a histogram's buckets, in seconds; the last is +Inf. */
extern const double metrics_bounds[METRICS_BUCKETS];

/* Borrows prog and the table for ever.  0, or -1 with errno if the folder
 * can't be written (said once by the program; metrics stay off). */
int metrics_open(const char *prog, struct metric *table, size_t n);

/* Adds one observation (seconds) to a histogram. */
void metrics_observe(struct metric *m, double seconds);

/* Writes the file if a second has passed.  Failures are silent: counting
 * goes on.  Returns the clock_ms() of the next call, IO_FOREVER if off. */
int64_t metrics_tick(int64_t now_ms);

/* Adds what the file would hold now, also if it is off.  0, or -1 if memory
 * is gone. */
int metrics_text(struct buf *out);

/* Is this a file, in an open folder, of a process that has been gone for five
 * minutes? */
bool metrics_stale(int dir, const char *name);

/* Writes the file a last time. */
void metrics_close(void);

#endif
