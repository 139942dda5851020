/* The counters of incr-serve, and what a scraper gets. */
#include "serve/serve_metrics.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "base/metrics_merge.h"

/* clang-format off */

/* SERIES_202 and so on, one for each status; then the others. */
enum {
#define X(code_, phrase_) SERIES_##code_,
	HTTP_STATUSES(X)
#undef X
	DURATION,
	CONNECTIONS,
	IN_FLIGHT,
	N_SERIES
};

static struct metric series[N_SERIES] = {
#define X(code_, phrase_) \
	[SERIES_##code_] = { \
		.name = "incr_http_requests_total", \
		.help = "HTTP requests answered.", \
		.labels = "code=\"" #code_ "\"", \
		.kind = METRICS_COUNTER},
	HTTP_STATUSES(X)
#undef X
	[DURATION] = {
		.name = "incr_http_request_duration_seconds",
		.help = "From the end of a request's head to its answer.",
		.kind = METRICS_HISTOGRAM},
	[CONNECTIONS] = {
		.name = "incr_http_connections",
		.help = "Open connections.",
		.kind = METRICS_GAUGE},
	[IN_FLIGHT] = {
		.name = "incr_http_in_flight",
		.help = "Lines without verdict.",
		.kind = METRICS_GAUGE},
};

/* clang-format on */

int
serve_metrics_open(const char *prog)
{
	return metrics_open(prog, series, N_SERIES);
}

void
serve_metrics_count(enum http_status status, int64_t us)
{
	switch (status) {
#define X(code_, phrase_) \
	case HTTP_##code_: series[SERIES_##code_].value++; break;
		HTTP_STATUSES(X)
#undef X
	}
	metrics_observe(&series[DURATION], (double)us / 1e6);
}

int64_t
serve_metrics_tick(int64_t now_ms, size_t connections, uint64_t in_flight)
{
	series[CONNECTIONS].value = (double)connections;
	series[IN_FLIGHT].value = (double)in_flight;
	return metrics_tick(now_ms);
}

void
serve_metrics_close(void)
{
	metrics_close();
}

int
serve_metrics_scrape(struct buf *out)
{
	const char *name = getenv("INCR_METRICS_DIR");
	DIR *dir = name == NULL || *name == '\0' ? NULL : opendir(name);
	int result;

	if (dir == NULL)
		return metrics_text(out);
	result = metrics_merge(dir, out);
	closedir(dir);
	return result;
}
