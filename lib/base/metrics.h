/*
 * Counters, gauges and histograms, written as a Prometheus text file.
 *
 * A program has one table of series (names, kinds and help: metrics_list.h),
 * changes their values directly and calls metrics_tick in its loop.  If
 * INCR_METRICS_DIR is set, PROGRAM-HOST-PIDNS-PID.prom there is kept up to date
 * every second; otherwise every call does nothing.  PIDNS is the inode of the
 * pid namespace, as containers may share the folder.  The file is always whole:
 * it is written as .PROGRAM-...-PID.prom.new and renamed.  After kill -9 it is
 * at most a second old, and is removed five minutes later by any program that
 * uses the folder.  What several programs know alike has a file of its own,
 * metrics_shared.h.
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
	bool rare;                             /* left out while it is 0 */
	double value;                          /* of a histogram: the sum */
	uint64_t buckets[METRICS_BUCKETS + 1]; /* of a histogram only */
};

/* Upper bounds of a histogram's buckets, in seconds; the last is +Inf. */
extern const double metrics_bounds[METRICS_BUCKETS];

/* Borrows prog and the table for ever, and writes the file.  0, or -1 with
 * errno if that fails: metrics_tick tries again. */
int metrics_open(const char *prog, struct metric *table, size_t n);

/* All that this process does is for one queue: its name (record/queue_name.h)
 * is a label of all series from the next writing on. */
void metrics_of_queue(const char *queue);

/* What changes from now on may wait for two seconds, or may not (as at first).
 */
void metrics_calm(bool calm);

/* Adds one observation (seconds) to a histogram. */
void metrics_observe(struct metric *m, double seconds);

/*
 * Writes the file if a second has almost passed and a value has changed, or
 * after twelve seconds; a failure, also of the folder, is tried again the next
 * time.  A file that stays as it is gets a new time every four seconds.  What
 * the process takes of the machine is no change.
 *
 * Returns the clock_ms() of the next call at the latest: a second later; if
 * nothing has changed, the end of the four seconds, as no value changes then
 * but in a turn of the loop that something else wakes.  IO_FOREVER if off.
 */
int64_t metrics_tick(int64_t now_ms);

/* Adds the text of the file as it would be now, also if metrics are off.  0,
 * or -1 with errno ENOMEM. */
int metrics_text(struct buf *out);

/* The open folder, -1 while metrics are off or there is none; the labels that
 * tell this process from others. */
int metrics_dir(void);
const char *metrics_labels(void);

/* Writes the file a last time. */
void metrics_close(void);

#endif
