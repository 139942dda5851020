/*
 * The metrics of incr-publish; incr(7) explains them.  One of each for the
 * process.
 */
#ifndef INCR_PUBLISH_METRICS_H
#define INCR_PUBLISH_METRICS_H

#include <stdint.h>

#include "publish/router.h"
#include "record/fault.h"

/* As metrics_open; faults are the usual ones of fault_series. */
int publish_metrics_open(const char *prog, unsigned faults);

/* A batch took so long from its sending to its outcome. */
void publish_metrics_observe(int64_t us);

/* Redis lacks what was published to it. */
void publish_metrics_lacking(void);

/* Takes what r has counted, and lines that Redis never saw.  Once there are
 * shards, they have series of their own. */
void publish_metrics_count(
    struct router *r, const uint64_t rejected[FAULT_COUNT]);

#endif
