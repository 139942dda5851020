/*
 * The metrics of incr-flush: what its flusher has done, as series of
 * base/metrics.h.
 */
#ifndef INCR_FLUSH_METRICS_H
#define INCR_FLUSH_METRICS_H

#include "flush/flusher.h"
#include "record/fault.h"

/* Like metrics_open, of program prog. */
int flush_metrics_open(const char *prog);

/* A line was invalid. */
void flush_metrics_reject(enum fault fault);

/* Brings the series up to date. */
void flush_metrics_count(const struct flusher *f);

/* As metrics_tick. */
int64_t flush_metrics_tick(int64_t now_ms);

#endif
