/*
 * The gauges of a queue, in a file that all programs which talk to the queue
 * keep together (base/metrics_shared.h): whoever finds it old measures the
 * queue, so it shows what waits also while no drain works.
 *
 *	if (queue_gauges_want(g, clock_ms()))   about every second
 *		... queue_measure ...
 *		queue_gauges_show(g, queue_lengths(q));
 */
#ifndef INCR_QUEUE_GAUGES_H
#define INCR_QUEUE_GAUGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/metrics_shared.h"
#include "queue/queue.h"
#include "queue/queue_age.h"

enum { QUEUE_GAUGES = 4 };

struct queue_gauges {
	struct metric series[QUEUE_GAUGES];
	char labels[160];
	struct metrics_shared file;
	struct queue_age age;
	int64_t next_ms; /* the next question */
};

/* Of the queue of that name, once metrics_open() was called.  Returns g. */
struct queue_gauges *queue_gauges_open(
    struct queue_gauges *g, const char *queue);

void queue_gauges_close(struct queue_gauges *g);

/* When queue_gauges_want has an answer: IO_FOREVER if never. */
int64_t queue_gauges_due(const struct queue_gauges *g);

/* Should this program measure the queue now?  False for a second after an
 * answer. */
bool queue_gauges_want(struct queue_gauges *g, int64_t now_ms);

/* The queue could not be measured: queue_gauges_want says no for five seconds.
 */
void queue_gauges_fail(struct queue_gauges *g, int64_t now_ms);

/* Writes what was measured. */
void queue_gauges_show(
    struct queue_gauges *g, const struct queue_lengths *lengths);

#endif
