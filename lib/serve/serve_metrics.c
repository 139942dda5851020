/* The counters of incr-serve, and what a scraper gets. */
#include "serve/serve_metrics.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics_list.h"
#include "base/metrics_merge.h"

enum { FRESH_MS = 1000, BUSY_MS = 2000 };

static bool is_fresh(const struct serve_metrics *m, int64_t now_ms);
static int make(struct buf *out);

/* clang-format off */

static const struct metric table[SERVE_METRICS] = {
#define X(code_, phrase_) \
	[SERVE_METRICS_##code_] = { \
		METRIC_HTTP_REQUESTS, .labels = "code=\"" #code_ "\""},
	HTTP_STATUSES(X)
#undef X
	[SERVE_METRICS_OLD_TOKENS] = {METRIC_HTTP_OLD_TOKENS},
	[SERVE_METRICS_DURATION] = {METRIC_HTTP_REQUEST_DURATION},
	[SERVE_METRICS_CONNECTIONS] = {METRIC_HTTP_CONNECTIONS},
	[SERVE_METRICS_IN_FLIGHT] = {METRIC_HTTP_IN_FLIGHT},
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
    struct serve_metrics *m, enum http_status status, int64_t us, bool health)
{
	if (!health)
		m->busy_ms = clock_ms();
	switch (status) {
#define X(code_, phrase_) \
	case HTTP_##code_: m->series[SERVE_METRICS_##code_].value++; break;
		HTTP_STATUSES(X)
#undef X
	}
	metrics_observe(&m->series[SERVE_METRICS_DURATION], (double)us / 1e6);
}

void
serve_metrics_count_old_token(struct serve_metrics *m)
{
	m->series[SERVE_METRICS_OLD_TOKENS].value++;
}

int64_t
serve_metrics_tick(struct serve_metrics *m, int64_t now_ms, size_t connections,
    uint64_t in_flight)
{
	if (!is_fresh(m, now_ms))
		buf_free(&m->text);
	m->series[SERVE_METRICS_CONNECTIONS].value = (double)connections;
	m->series[SERVE_METRICS_IN_FLIGHT].value = (double)in_flight;
	metrics_calm(now_ms >= m->busy_ms + BUSY_MS);
	return metrics_tick(now_ms);
}

void
serve_metrics_close(struct serve_metrics *m)
{
	buf_free(&m->text);
	metrics_close();
}

int
serve_metrics_scrape(struct serve_metrics *m, int64_t now_ms, struct buf *out)
{
	if (!is_fresh(m, now_ms)) {
		buf_free(&m->text);
		m->made_ms = now_ms;
		m->failed = make(&m->text) < 0;
	}
	return m->failed ? -1 : buf_add(out, buf_ptr(&m->text), m->text.len);
}

static bool
is_fresh(const struct serve_metrics *m, int64_t now_ms)
{
	return m->made_ms != 0 && now_ms - m->made_ms < FRESH_MS;
}

static int
make(struct buf *out)
{
	const char *name = getenv("INCR_METRICS_DIR");
	DIR *dir = name == NULL || *name == '\0' ? NULL : opendir(name);
	struct metrics_unread unread;
	int result;

	if (dir == NULL)
		return metrics_text(out);
	result = metrics_merge(dir, out, &unread);
	closedir(dir);
	return result;
}
