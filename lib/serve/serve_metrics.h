/*
 * The metrics of incr-serve, and the text of GET /metrics.
 */
#ifndef INCR_SERVE_METRICS_H
#define INCR_SERVE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "http/http_status.h"

/* clang-format off */

/* Requests by status (SERVE_METRICS_202 and so on), then the others. */
enum {
#define X(code_, phrase_) SERVE_METRICS_##code_,
	HTTP_STATUSES(X)
#undef X
	SERVE_METRICS_OLD_TOKENS,
	SERVE_METRICS_DURATION,
	SERVE_METRICS_CONNECTIONS,
	SERVE_METRICS_IN_FLIGHT,
	SERVE_METRICS /* how many */
};

/* clang-format on */

struct serve_metrics {
	struct metric series[SERVE_METRICS];
	struct buf text; /* of the last scrape */
	int64_t made_ms; /* when it was tried, 0: never */
	int64_t
	    busy_ms; /* when something else than a health check was answered */
	bool failed; /* there is no text */
};

/* 0, or -1 with errno if INCR_METRICS_DIR can't be written: counting goes on
 * without.  m is borrowed for ever. */
int serve_metrics_open(struct serve_metrics *m, const char *prog);

/* A request was answered, so many microseconds after its head.  If there are
 * only health checks, their figures may wait: metrics_calm. */
void serve_metrics_count(
    struct serve_metrics *m, enum http_status status, int64_t us, bool health);

/* Its token was not the newest of its name. */
void serve_metrics_count_old_token(struct serve_metrics *m);

/* Sets the gauges; as metrics_tick. */
int64_t serve_metrics_tick(struct serve_metrics *m, int64_t now_ms,
    size_t connections, uint64_t in_flight);

/* Writes the file a last time. */
void serve_metrics_close(struct serve_metrics *m);

/*
 * Adds the text of a scrape: all files of INCR_METRICS_DIR as one, HELP and
 * TYPE once per name; this program's own series if it is not set, or there is
 * no such folder.  The text is made at most once a second, however often it is
 * asked for.  0, or -1 if it can't be read or there is no memory.
 */
int serve_metrics_scrape(
    struct serve_metrics *m, int64_t now_ms, struct buf *out);

#endif
