/* Counts for incr-publish. */
#include "publish/publish_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "base/metrics_list.h"

enum {
	PUBLISHED,
	BATCHES,
	DURATION,
	REPLICA_WAIT,
	STEPS_BACK,
	REJECTED,
	SERIES = REJECTED + FAULT_COUNT - 1
};

static struct metric alone[SERIES] = {
    [PUBLISHED] = {METRIC_PUBLISHED},
    [BATCHES] = {METRIC_PUBLISH_BATCHES},
    [DURATION] = {METRIC_PUBLISH_SECONDS},
    [REPLICA_WAIT] = {METRIC_REPLICA_WAIT},
    [STEPS_BACK] = {METRIC_QUEUE_STEPS_BACK},
};

/* The same, with those of shards behind them if there are any. */
static struct metric *series = alone;
static const char *program;
static size_t n_shards;

/* Of each shard, in this order: all that are published, then ... */
enum { SHARD_PUBLISHED, SHARD_REFUSED, SHARD_HELD, SHARD_SERIES };

static const struct metric shard_series[SHARD_SERIES] = {
    [SHARD_PUBLISHED] = {METRIC_SHARD_PUBLISHED},
    [SHARD_REFUSED] = {METRIC_SHARD_REFUSED},
    [SHARD_HELD] = {METRIC_SHARD_HELD},
};

int
publish_metrics_open(const char *prog, unsigned faults)
{
	program = prog;
	fault_series(&series[REJECTED], faults);
	return metrics_open(prog, series, SERIES);
}

void
publish_metrics_observe(int64_t us)
{
	metrics_observe(&series[DURATION], (double)us / 1e6);
}

void
publish_metrics_lacking(void)
{
	series[STEPS_BACK].value++;
}

static struct metric *
of_shard(size_t what, size_t i)
{
	return &series[SERIES + what * n_shards + i];
}

/* For ever.  0, or -1 if memory is gone: then there are none. */
static int
add_shards(const struct router *r)
{
	size_t n = r->n, width = QUEUE_NAME_MAX + sizeof "queue=\"\"";
	struct metric *all = calloc(SERIES + SHARD_SERIES * n, sizeof *all);
	char *labels = calloc(n, width);

	if (all == NULL || labels == NULL) {
		free(all);
		free(labels);
		return -1;
	}
	memcpy(all, series, sizeof alone);
	series = all;
	n_shards = n;
	for (size_t i = 0; i < n; i++) {
		char *label = labels + i * width;

		snprintf(label, width, "queue=\"%s\"", r->shards[i].name);
		for (size_t k = 0; k < SHARD_SERIES; k++) {
			*of_shard(k, i) = shard_series[k];
			of_shard(k, i)->labels = label;
		}
	}
	return metrics_open(program, series, SERIES + SHARD_SERIES * n);
}

/* Of replicas; at most one of each shard has ended since the last time. */
static void
observe_wait(struct router_shard *s)
{
	const struct session_status *redis = queue_status(s->publisher.queue);

	if (redis->waits != s->waits)
		metrics_observe(
		    &series[REPLICA_WAIT], (double)redis->waited_us / 1e6);
	s->waits = redis->waits;
}

static void
count_shard(const struct router_shard *s, size_t i)
{
	const struct publisher_counts *c = &s->publisher.counts;
	size_t in_doubt;

	of_shard(SHARD_PUBLISHED, i)->value = (double)c->published;
	of_shard(SHARD_REFUSED, i)->value =
	    (double)(c->rejected[FAULT_UNAVAILABLE] +
		     c->rejected[FAULT_UNKNOWN]);
	of_shard(SHARD_HELD, i)->value =
	    (double)publisher_count(&s->publisher, &in_doubt);
}

void
publish_metrics_count(struct router *r, const uint64_t rejected[FAULT_COUNT])
{
	struct publisher_counts counts;

	router_counts(r, &counts);
	for (unsigned i = 0; i < router_shards(r); i++)
		observe_wait(&r->shards[i]);
	series[PUBLISHED].value = (double)counts.published;
	series[BATCHES].value = (double)counts.batches;
	for (int f = 1; f < FAULT_COUNT; f++)
		series[REJECTED + f - 1].value =
		    (double)(rejected[f] + counts.rejected[f]);
	if (r->n <= 1 || (n_shards == 0 && add_shards(r) < 0))
		return;
	for (unsigned i = 0; i < r->n; i++)
		count_shard(&r->shards[i], i);
}
