/* Writes a program's series to its file, and removes files left behind. */
#include "base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/metrics_folder.h"
#include "base/metrics_format.h"
#include "base/metrics_list.h"

enum {
	WRITE_MS = 1000,
	REWRITE_MS = 4000, /* also if nothing has changed: less than
			    * metrics_folder_is_silent says */
	SWEEP_MS = 60000
};

static struct {
	int dir; /* -1: off */
	struct metric *table;
	size_t n;
	struct buf text;
	size_t same;        /* bytes of text before what changes by itself */
	struct buf written; /* so many bytes of the text of the file */
	char name[NAME_MAX + 1], aside[NAME_MAX + 1];
	char labels[NAME_MAX + 1]; /* of every series */
	int64_t next_ms, sweep_ms, rewrite_ms;
} m = {.dir = -1};

static int write_file(void);
static bool has_changed(void);
static int format(void);

int
metrics_open(const char *prog, struct metric *table, size_t n)
{
	const char *dir = getenv("INCR_METRICS_DIR");
	const struct metrics_place *p = metrics_folder_here();
	uintmax_t pid = (uintmax_t)getpid();

	m.table = table;
	m.n = n;
	snprintf(m.labels, sizeof m.labels,
	    "program=\"%s\",host=\"%s\",pidns=\"%s\",pid=\"%ju\"", prog,
	    p->host, p->pidns, pid);
	if (dir == NULL || *dir == '\0')
		return 0;
	m.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m.dir < 0)
		return -1;
	snprintf(m.name, sizeof m.name, "%s-%s-%s-%ju.prom", prog, p->host,
	    p->pidns, pid);
	snprintf(m.aside, sizeof m.aside, ".%.200s.new", m.name);
	if (format() < 0 || write_file() < 0) {
		int saved = errno;

		close(m.dir);
		m.dir = -1;
		errno = saved;
		return -1;
	}
	m.next_ms = clock_ms() + WRITE_MS;
	m.rewrite_ms = clock_ms() + REWRITE_MS;
	return 0;
}

void
metrics_observe(struct metric *s, double seconds)
{
	size_t i = 0;

	while (i < METRICS_BUCKETS && seconds > metrics_bounds[i])
		i++;
	s->buckets[i]++;
	s->value += seconds;
}

int64_t
metrics_tick(int64_t now_ms)
{
	if (m.dir < 0)
		return IO_FOREVER;
	if (now_ms < m.next_ms)
		return m.next_ms;
	if (format() == 0 && (has_changed() || now_ms >= m.rewrite_ms) &&
	    write_file() == 0)
		m.rewrite_ms = now_ms + REWRITE_MS;
	if (now_ms >= m.sweep_ms) {
		metrics_folder_sweep(m.dir);
		m.sweep_ms = now_ms + SWEEP_MS;
	}
	return m.next_ms = now_ms + WRITE_MS;
}

void
metrics_close(void)
{
	if (m.dir < 0)
		return;
	if (format() == 0)
		(void)write_file();
	close(m.dir);
	m.dir = -1;
	buf_free(&m.text);
	buf_free(&m.written);
}

int
metrics_dir(void)
{
	return m.dir;
}

const char *
metrics_labels(void)
{
	return m.labels;
}

int
metrics_text(struct buf *out)
{
	return format() < 0 ? -1 : buf_add(out, buf_ptr(&m.text), m.text.len);
}

static int
write_file(void)
{
	struct stat st;

	if (metrics_folder_write(m.dir, m.aside, m.name, &m.text, &st) < 0)
		return -1;
	buf_clear(&m.written);
	/* Without memory it is written once more. */
	(void)buf_add(&m.written, buf_ptr(&m.text), m.same);
	return 0;
}

/* Is the text another one than the file's? */
static bool
has_changed(void)
{
	return m.written.len != m.same ||
	       memcmp(buf_ptr(&m.written), buf_ptr(&m.text), m.same) != 0;
}

static int
format(void)
{
	static const struct metric build = {METRIC_BUILD_INFO,
	    .labels = "version=\"" INCR_VERSION "\"", .value = 1};
	struct metric updated = {
	    METRIC_UPDATED, .value = (double)clock_unix_ms() / 1000};
	const char *last = "";

	buf_clear(&m.text);
	if (metrics_format(&m.text, m.table, m.n, m.labels, &last) < 0 ||
	    metrics_format(&m.text, &build, 1, m.labels, &last) < 0)
		return -1;
	m.same = m.text.len;
	return metrics_format(&m.text, &updated, 1, m.labels, &last);
}
