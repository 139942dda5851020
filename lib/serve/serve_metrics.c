/* The counters of incr-serve, and what a scraper gets. */
#include "serve/serve_metrics.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics_merge.h"

/* clang-format off */

static const struct metric table[SERVE_METRICS] = {
#define X(code_, phrase_) \
	[SERVE_METRICS_##code_] = { \
		.name = "incr_http_requests_total", \
		.help = "HTTP requests answered.", \
		.labels = "code=\"" #code_ "\"", \
		.kind = METRICS_COUNTER},
	HTTP_STATUSES(X)
#undef X
	[SERVE_METRICS_DURATION] = {
		.name = "incr_http_request_duration_seconds",
		.help = "From the end of a request's head to its answer.",
		.kind = METRICS_HISTOGRAM},
	[SERVE_METRICS_CONNECTIONS] = {
		.name = "incr_http_connections",
		.help = "Open connections.",
		.kind = METRICS_GAUGE},
	[SERVE_METRICS_IN_FLIGHT] = {
		.name = "incr_http_in_flight",
		.help = "Lines without verdict.",
		.kind = METRICS_GAUGE},
};

/* clang-format on */

int
serve_metrics_open(struct serve_metrics *m, const char *prog)
{
	memcpy(m->series, table, sizeof m->series);
	return metrics_open(prog, m->series, SERVE_METRICS);
}

void
serve_metrics_count(
    struct serve_metrics *m, enum http_status status, int64_t us)
{
	switch (status) {
#define X(code_, phrase_) \
	case HTTP_##code_: m->series[SERVE_METRICS_##code_].value++; break;
		HTTP_STATUSES(X)
#undef X
	}
	metrics_observe(&m->series[SERVE_METRICS_DURATION], (double)us / 1e6);
}

int64_t
serve_metrics_tick(struct serve_metrics *m, int64_t now_ms, size_t connections,
    uint64_t in_flight)
{
	m->series[SERVE_METRICS_CONNECTIONS].value = (double)connections;
	m->series[SERVE_METRICS_IN_FLIGHT].value = (double)in_flight;
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
