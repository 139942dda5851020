#include "serve/serve_metrics.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "base/metrics_merge.h"

enum {
	N_STATUSES = 17,
	DURATION = N_STATUSES,
	CONNECTIONS,
	IN_FLIGHT,
	N_SERIES
};

#define STATUS(code_) \
	{ \
		.name = "incr_http_requests_total", \
		.help = "HTTP requests answered.", \
		.labels = "code=\"" #code_ "\"", .kind = METRICS_COUNTER \
	}

static const uint16_t statuses[N_STATUSES] = {202, 207, 200, 400, 401, 403, 404,
    405, 408, 413, 417, 422, 429, 431, 503, 504, 505};

static struct metric series[N_SERIES] = {STATUS(202), STATUS(207), STATUS(200),
    STATUS(400), STATUS(401), STATUS(403), STATUS(404), STATUS(405),
    STATUS(408), STATUS(413), STATUS(417), STATUS(422), STATUS(429),
    STATUS(431), STATUS(503), STATUS(504), STATUS(505),
    [DURATION] = {.name = "incr_http_request_duration_seconds",
	.help = "From the end of a request's head to its answer.",
	.kind = METRICS_HISTOGRAM},
    [CONNECTIONS] = {.name = "incr_http_connections",
	.help = "Open connections.",
	.kind = METRICS_GAUGE},
    [IN_FLIGHT] = {.name = "incr_http_in_flight",
	.help = "Lines without verdict.",
	.kind = METRICS_GAUGE}};

int
serve_metrics_open(const char *prog)
{
	return metrics_open(prog, series, N_SERIES);
}

void
serve_metrics_count(uint16_t status, int64_t us)
{
	size_t i = 0;

	while (i < N_STATUSES - 1 && statuses[i] != status)
		i++;
	series[i].value++;
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
