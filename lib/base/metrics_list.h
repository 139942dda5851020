/*
 * The metrics of all programs: kind, name and help of each, as the beginning
 * of a struct metric.  {METRIC_REJECTED, .labels = "code=\"too-long\""} is a
 * series.  A name stands here only; a test wants each in incr(7).
 */
#ifndef INCR_METRICS_LIST_H
#define INCR_METRICS_LIST_H

#include "base/metrics.h"

#define METRIC(kind_, name_, help_) \
	.name = (name_), .help = (help_), .kind = METRICS_##kind_

#define METRIC_BUILD_INFO \
	METRIC(GAUGE, "incr_build_info", "The version of the program.")
#define METRIC_UPDATED \
	METRIC(GAUGE, "incr_updated_timestamp_seconds", \
	    "When the program wrote its series.")

/* Of every program, in the words of Prometheus's client libraries:
 * node_exporter leaves out a series of the same name with another help. */
#define METRIC_PROCESS_CPU \
	METRIC(COUNTER, "process_cpu_seconds_total", \
	    "Total user and system CPU time spent in seconds.")
#define METRIC_PROCESS_MEMORY \
	METRIC(GAUGE, "process_resident_memory_bytes", \
	    "Resident memory size in bytes.")
#define METRIC_PROCESS_OPEN_FDS \
	METRIC(GAUGE, "process_open_fds", "Number of open file descriptors.")
#define METRIC_PROCESS_MAX_FDS \
	METRIC(GAUGE, "process_max_fds", \
	    "Maximum number of open file descriptors.")
#define METRIC_PROCESS_START \
	METRIC(GAUGE, "process_start_time_seconds", \
	    "Start time of the process since unix epoch in seconds.")

/* Of incr-serve. */
#define METRIC_HTTP_REQUESTS \
	METRIC(COUNTER, "incr_http_requests_total", "HTTP requests answered.")
#define METRIC_HTTP_OLD_TOKENS \
	METRIC(COUNTER, "incr_http_old_tokens_total", \
	    "Requests with a token that is not the newest of its name.")
#define METRIC_HTTP_REQUEST_DURATION \
	METRIC(HISTOGRAM, "incr_http_request_duration_seconds", \
	    "From the end of a request's head to its answer.")
#define METRIC_HTTP_CONNECTIONS \
	METRIC(GAUGE, "incr_http_connections", "Open connections.")
#define METRIC_HTTP_IN_FLIGHT \
	METRIC(GAUGE, "incr_http_in_flight", "Lines without verdict.")

/* Of several programs. */
#define METRIC_REJECTED \
	METRIC(COUNTER, "incr_rejected_total", \
	    "Lines that were no increments, or not taken.")

#define METRIC_QUEUE_STEPS_BACK \
	METRIC(COUNTER, "incr_queue_steps_back_total", \
	    "Times that Redis was found to know less than before.")

/* Of incr-validate. */
#define METRIC_VALIDATED \
	METRIC(COUNTER, "incr_validated_total", "Lines that were increments.")

/* Of incr-publish. */
#define METRIC_PUBLISHED \
	METRIC(COUNTER, "incr_published_total", "Increments that Redis has.")
#define METRIC_PUBLISH_BATCHES \
	METRIC(COUNTER, "incr_publish_batches_total", "Batches that Redis has.")
#define METRIC_PUBLISH_SECONDS \
	METRIC(HISTOGRAM, "incr_publish_seconds", \
	    "From the first sending of a batch to its outcome.")

/* Of a shard, by incr-publish. */
#define METRIC_SHARD_PUBLISHED \
	METRIC(COUNTER, "incr_shard_published_total", \
	    "Increments that Redis has, by shard.")
#define METRIC_SHARD_REFUSED \
	METRIC(COUNTER, "incr_shard_refused_total", \
	    "Increments that Redis did not take in time, by shard.")
#define METRIC_SHARD_HELD \
	METRIC(GAUGE, "incr_shard_held", \
	    "Increments that wait for Redis, by shard.")

/* Of incr-publish and incr-consume. */
#define METRIC_REPLICA_WAIT \
	METRIC(HISTOGRAM, "incr_replica_wait_seconds", \
	    "How long replicas were waited for, with --replicas.")

/* Of a queue, by whoever measures it. */
#define METRIC_QUEUE_READY \
	METRIC(GAUGE, "incr_queue_ready", "Messages that wait to be taken.")
#define METRIC_QUEUE_UNACKED \
	METRIC(GAUGE, "incr_queue_unacked", \
	    "Batches taken and not yet acknowledged.")
#define METRIC_QUEUE_REJECTED \
	METRIC(GAUGE, "incr_queue_rejected", "Dead letters.")
#define METRIC_QUEUE_OLDEST \
	METRIC(GAUGE, "incr_queue_oldest_seconds", \
	    "Age at most of the oldest increment that waits, ready or in a " \
	    "batch.")

/* Of incr-consume. */
#define METRIC_CONSUMED \
	METRIC(COUNTER, "incr_consumed_total", \
	    "Lines delivered, error lines included.")
#define METRIC_CONSUME_BATCHES \
	METRIC(COUNTER, "incr_consume_batches_total", "Batches taken.")
#define METRIC_ADOPTED_BATCHES \
	METRIC(COUNTER, "incr_adopted_batches_total", \
	    "Batches adopted from consumers that were gone.")

/* Of incr-flush. */
#define METRIC_FLUSHED \
	METRIC(COUNTER, "incr_flushed_total", "Increments added to the table.")
#define METRIC_REPLAYED_BATCHES \
	METRIC(COUNTER, "incr_replayed_batches_total", \
	    "Batches that were in the table before.")
#define METRIC_FLUSH_DURATION \
	METRIC(HISTOGRAM, "incr_flush_duration_seconds", \
	    "Duration of a statement that was committed.")
#define METRIC_FLUSH_KEYS \
	METRIC(GAUGE, "incr_flush_keys", "Keys of the last statement.")
#define METRIC_FLUSH_STALENESS \
	METRIC(GAUGE, "incr_flush_staleness_seconds", \
	    "Age of the oldest increment when it was committed in the last " \
	    "ten seconds, or of one that waits, if that is older.")
#define METRIC_LEDGER_STEPS_BACK \
	METRIC(COUNTER, "incr_ledger_steps_back_total", \
	    "Times that ledger rows were found lower than before.")
#define METRIC_KEPT_BATCHES \
	METRIC(GAUGE, "incr_kept_batches", "Counted batches kept in Redis.")
#define METRIC_KEPT_BYTES \
	METRIC(GAUGE, "incr_kept_bytes", "Memory of Redis that they take.")
#define METRIC_KEPT_GAVE_WAY \
	METRIC(COUNTER, "incr_kept_gave_way_total", \
	    "Kept batches that gave way before their time.")
#define METRIC_FLUSH_LAST_SUCCESS \
	METRIC(GAUGE, "incr_flush_last_success_timestamp_seconds", \
	    "When a window was last committed.")
#define METRIC_FLUSH_PROMISE_AT_RISK \
	METRIC(GAUGE, "incr_flush_promise_at_risk", \
	    "1 while statements are so slow that after a kill increments may " \
	    "be later than ten seconds.")

/* Of incr-send. */
#define METRIC_SEND_LINES \
	METRIC(COUNTER, "incr_send_lines_total", "Lines by their verdict.")
#define METRIC_SEND_REPEATS \
	METRIC(COUNTER, "incr_send_repeats_total", \
	    "Requests repeated because they were not taken.")
#define METRIC_SEND_LINES_IN_HAND \
	METRIC(GAUGE, "incr_send_lines_in_hand", "Lines without a verdict yet.")
#define METRIC_SEND_REQUEST_DURATION \
	METRIC(HISTOGRAM, "incr_send_request_duration_seconds", \
	    "From a request to its answer.")

#endif
