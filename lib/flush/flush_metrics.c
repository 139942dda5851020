/* Keeps the metrics of incr-flush. */
#include "flush/flush_metrics.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/metrics.h"
#include "base/metrics_list.h"
#include "base/num.h"

enum {
	COMMIT_SHOWN_MS = 10000,
	AGAIN_MS = 1000 /* from one count to the next, while a value ages */
};

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
	fault_series(
	    &series[REJECTED], FAULTS_OF_INCREMENTS | FAULTS_OF_PAYLOADS);
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

static bool ages; /* the staleness, without anything happening */

/* Of what waits, if anything does; that of the last commit stays for a moment,
 * so that it is seen. */
static void
show_staleness(const struct flusher *f)
{
	static uint64_t commits;
	static int64_t shown_ms;
	int64_t now_ms = clock_ms(), staleness_ms = now_ms - flusher_oldest(f);

	if (commits != f->tally.commits)
		shown_ms = now_ms + COMMIT_SHOWN_MS;
	commits = f->tally.commits;
	if (now_ms < shown_ms && staleness_ms < f->tally.staleness_ms)
		staleness_ms = f->tally.staleness_ms;
	ages = staleness_ms >= 0;
	series[STALENESS].value =
	    staleness_ms > 0 ? (double)staleness_ms / 1000 : 0;
}

void
flush_metrics_count(const struct flusher *f)
{
	static uint64_t commits;
	static bool of_queue; /* what comes from elsewhere is of none */

	show_staleness(f);
	if (f->from_consumer && !of_queue) {
		metrics_of_queue(f->options.queue);
		of_queue = true;
	}
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

int64_t
flush_metrics_tick(int64_t now_ms)
{
	int64_t due_ms = metrics_tick(now_ms);

	if (due_ms == IO_FOREVER || !ages)
		return due_ms;
	return num_min(now_ms + AGAIN_MS, due_ms);
}
