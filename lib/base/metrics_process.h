/*
 * What a process takes of its machine, as the client libraries of Prometheus
 * name it.
 */
#ifndef INCR_METRICS_PROCESS_H
#define INCR_METRICS_PROCESS_H

#include <stddef.h>

#include "base/metrics.h"

enum { METRICS_PROCESS = 5 };

/* Fills ret with the series of this process, and returns how many it knows: a
 * /proc that shows nothing leaves some out. */
size_t metrics_process(struct metric ret[METRICS_PROCESS]);

#endif
