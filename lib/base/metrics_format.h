/*
 * Series as Prometheus text.  Pure.
 */
#ifndef INCR_METRICS_FORMAT_H
#define INCR_METRICS_FORMAT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/metrics.h"

/*
 * Adds n series, each with the labels of its own and then `labels` (not empty).
 * The first of a name comes behind HELP and TYPE, unless *last is that name,
 * which is set to the last one.  0, or -1 with errno ENOMEM.
 */
int metrics_format(struct buf *out, const struct metric *table, size_t n,
    const char *labels, const char **last);

#endif
