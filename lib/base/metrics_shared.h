/*
 * Series of a queue, of which one program at a time keeps the file.
 *
 * Several programs know the same: they use the file incr-queue-QUEUE.prom in
 * the folder of the metrics together.  Each asks metrics_shared_is_due() about
 * every second.  The one that wrote the file last goes on; another one takes
 * over when it finds the file two seconds old, since the first has ended,
 * stands still, or can't ask the queue.  If two do so at once, the one whose
 * file stays goes on, and the other gives way.
 */
#ifndef INCR_METRICS_SHARED_H
#define INCR_METRICS_SHARED_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/metrics.h"

struct metrics_shared {
	char name[NAME_MAX + 1], aside[NAME_MAX + 32];
	struct stat
	    written;     /* the file as this process wrote it, once it has */
	struct buf text; /* of the series in it */
	int64_t rewrite_ms;
};

/* Of this queue (record/queue_name.h). */
void metrics_shared_init(struct metrics_shared *s, const char *queue);

void metrics_shared_free(struct metrics_shared *s);

/* Should this program find the values, and write them?  Never while metrics
 * are off. */
bool metrics_shared_is_due(const struct metrics_shared *s);

/* Writes n series, all of one `labels`, with those of this process; if the file
 * has them and is not four seconds old, it only gets a new time.  A failure is
 * as if it had not been due. */
void metrics_shared_write(
    struct metrics_shared *s, const struct metric *table, size_t n);

#endif
