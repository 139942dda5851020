/* Keeps the metrics of incr-flush. */
#include "flush/flush_metrics.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/metrics_list.h"

enum {
	FLUSHED,
	REPLAYED,
	SECONDS,
	KEYS,
	STALENESS,
	SUCCESS,
	AT_RISK,
	STEPS_BACK,
	LEDGER_BACK,
	KEPT,
	KEPT_BYTES,
	GAVE_WAY,
	REJECTED,
	COUNT = REJECTED + FAULT_COUNT - 1
};

static struct metric series[COUNT] = {
    [FLUSHED] = {METRIC_FLUSHED},
    [REPLAYED] = {METRIC_REPLAYED_BATCHES},
    [SECONDS] = {METRIC_FLUSH_DURATION},
    [KEYS] = {METRIC_FLUSH_KEYS},
    [STALENESS] = {METRIC_FLUSH_STALENESS},
    [SUCCESS] = {METRIC_FLUSH_LAST_SUCCESS},
    [AT_RISK] = {METRIC_FLUSH_PROMISE_AT_RISK},
    [STEPS_BACK] = {METRIC_QUEUE_STEPS_BACK},
    [LEDGER_BACK] = {METRIC_LEDGER_STEPS_BACK},
    [KEPT] = {METRIC_KEPT_BATCHES},
    [KEPT_BYTES] = {METRIC_KEPT_BYTES},
    [GAVE_WAY] = {METRIC_KEPT_GAVE_WAY},
};

int
flush_metrics_open(const char *prog)
{
	fault_series(&series[REJECTED]);
	return metrics_open(prog, series, COUNT);
}

void
flush_metrics_reject(enum fault fault)
{
	series[REJECTED + fault - 1].value++;
}

static void
count_kept(const struct keeping *k)
{
	series[KEPT].value = (double)k->last.kept;
	series[KEPT_BYTES].value = (double)k->last.bytes;
	series[GAVE_WAY].value = (double)k->batches;
}

void
flush_metrics_count(const struct flusher *f)
{
	static uint64_t commits;
	int64_t staleness_ms = clock_ms() - flusher_oldest(f);

	if (staleness_ms < f->tally.staleness_ms)
		staleness_ms = f->tally.staleness_ms;
	if (staleness_ms >= 0)
		series[STALENESS].value = (double)staleness_ms / 1000;
	series[REPLAYED].value = (double)f->tally.replayed;
	series[STEPS_BACK].value = (double)f->acknowledger.steps_back;
	series[LEDGER_BACK].value = (double)f->back.steps;
	count_kept(&f->acknowledger.keeping);
	series[AT_RISK].value =
	    schedule_at_risk(&f->schedule, &f->committer.cost);
	if (commits == f->tally.commits)
		return;
	commits = f->tally.commits;
	series[FLUSHED].value = (double)f->tally.flushed;
	series[KEYS].value = (double)f->tally.keys;
	series[SUCCESS].value = (double)clock_unix_ms() / 1000;
	metrics_observe(&series[SECONDS], (double)f->tally.took_us / 1e6);
}
