/* Shows the lengths of a queue, and how old the oldest increment is. */
#include "queue/queue_gauges.h"

#include <stdio.h>

#include "base/io.h"
#include "base/metrics_list.h"

enum { EVERY_MS = 1000, FAILED_MS = 5000 };

enum { READY, UNACKED, REJECTED, OLDEST };

struct queue_gauges *
queue_gauges_open(struct queue_gauges *g, const char *queue)
{
	*g = (struct queue_gauges){.series = {[READY] = {METRIC_QUEUE_READY},
				       [UNACKED] = {METRIC_QUEUE_UNACKED},
				       [REJECTED] = {METRIC_QUEUE_REJECTED},
				       [OLDEST] = {METRIC_QUEUE_OLDEST}}};
	snprintf(g->labels, sizeof g->labels, "queue=\"%.128s\"", queue);
	for (size_t i = 0; i < QUEUE_GAUGES; i++)
		g->series[i].labels = g->labels;
	metrics_shared_init(&g->file, queue);
	return g;
}

void
queue_gauges_close(struct queue_gauges *g)
{
	metrics_shared_free(&g->file);
}

int64_t
queue_gauges_due(const struct queue_gauges *g)
{
	return metrics_dir() < 0 ? IO_FOREVER : g->next_ms;
}

bool
queue_gauges_want(struct queue_gauges *g, int64_t now_ms)
{
	if (now_ms < queue_gauges_due(g))
		return false;
	g->next_ms = now_ms + EVERY_MS;
	return metrics_shared_is_due(&g->file);
}

void
queue_gauges_fail(struct queue_gauges *g, int64_t now_ms)
{
	g->next_ms = now_ms + FAILED_MS;
}

void
queue_gauges_show(struct queue_gauges *g, const struct queue_lengths *lengths)
{
	g->series[READY].value = (double)lengths->ready;
	g->series[UNACKED].value = (double)lengths->unacked;
	g->series[REJECTED].value = (double)lengths->rejected;
	g->series[OLDEST].value =
	    (double)queue_age_look(&g->age, lengths) / 1000;
	metrics_shared_write(&g->file, g->series, QUEUE_GAUGES);
}
