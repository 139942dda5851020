/* Counts for incr-publish. */
#include "publish/publish_metrics.h"

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

static struct metric series[SERIES] = {
    [PUBLISHED] = {METRIC_PUBLISHED},
    [BATCHES] = {METRIC_PUBLISH_BATCHES},
    [DURATION] = {METRIC_PUBLISH_SECONDS},
    [REPLICA_WAIT] = {METRIC_REPLICA_WAIT},
    [STEPS_BACK] = {METRIC_QUEUE_STEPS_BACK},
};

int
publish_metrics_open(const char *prog, unsigned faults)
{
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

/* Of replicas; at most one has ended since the last time. */
static void
observe_wait(const struct session_status *redis)
{
	static uint64_t seen;

	if (redis->waits != seen)
		metrics_observe(
		    &series[REPLICA_WAIT], (double)redis->waited_us / 1e6);
	seen = redis->waits;
}

void
publish_metrics_count(
    const struct publisher *p, const uint64_t rejected[FAULT_COUNT])
{
	observe_wait(queue_status(p->queue));
	series[PUBLISHED].value = (double)p->counts.published;
	series[BATCHES].value = (double)p->counts.batches;
	for (int f = 1; f < FAULT_COUNT; f++)
		series[REJECTED + f - 1].value =
		    (double)(rejected[f] + p->counts.rejected[f]);
}
