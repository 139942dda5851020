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
#include "base/metrics_process.h"
#include "base/num.h"

enum {
	WRITE_MS = 750,  /* from one to the next, when the program turns then */
	SLACK_MS = 250,  /* later it is woken for that */
	CALM_MS = 1700,  /* the same for a change that may wait */
	TOUCH_MS = 4000, /* if nothing has changed: less than
			  * metrics_folder_is_silent says */
	REWRITE_MS = 12000, /* for what changes by itself */
	SWEEP_MS = 60000
};

static struct {
	const char *path; /* of the folder; NULL: off */
	int dir;          /* -1: not open */
	struct metric *table;
	size_t n;
	struct buf text;
	struct buf written; /* the table as it was when the file was written */
	bool renamed;       /* its labels are others since */
	char name[NAME_MAX + 1], aside[NAME_MAX + 1];
	char own[NAME_MAX + 1];          /* labels of the process */
	char queue[160];                 /* one in front of them, or none */
	char labels[2 * (NAME_MAX + 1)]; /* of every series: both */
	bool calm;
	int64_t next_ms, calm_ms, sweep_ms, touch_ms, rewrite_ms;
} m = {.dir = -1};

static int write_file(void);
static int touch(void);
static bool has_changed(void);
static void close_folder(void);
static int format(void);

static void
set_labels(void)
{
	snprintf(m.labels, sizeof m.labels, "%s%s", m.queue, m.own);
	m.renamed = true;
}

static void
wrote(int64_t now_ms)
{
	m.calm_ms = now_ms + CALM_MS;
	m.touch_ms = now_ms + TOUCH_MS;
	m.rewrite_ms = now_ms + REWRITE_MS;
}

int
metrics_open(const char *prog, struct metric *table, size_t n)
{
	const struct metrics_place *p = metrics_folder_here();
	uintmax_t pid = (uintmax_t)getpid();

	m.path = getenv("INCR_METRICS_DIR");
	m.table = table;
	m.n = n;
	snprintf(m.own, sizeof m.own,
	    "program=\"%s\",host=\"%s\",pidns=\"%s\",pid=\"%ju\"", prog,
	    p->host, p->pidns, pid);
	set_labels();
	snprintf(m.name, sizeof m.name, "%s-%s-%s-%ju.prom", prog, p->host,
	    p->pidns, pid);
	snprintf(m.aside, sizeof m.aside, ".%.200s.new", m.name);
	if (m.path != NULL && *m.path == '\0')
		m.path = NULL;
	if (m.path == NULL)
		return 0;
	m.next_ms = clock_ms() + WRITE_MS;
	wrote(clock_ms());
	return write_file();
}

void
metrics_of_queue(const char *queue)
{
	snprintf(m.queue, sizeof m.queue, "queue=\"%.128s\",", queue);
	set_labels();
}

void
metrics_calm(bool calm)
{
	m.calm = calm;
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
	bool changed;

	if (m.path == NULL)
		return IO_FOREVER;
	if (now_ms < m.next_ms)
		return m.next_ms + SLACK_MS;
	m.next_ms = now_ms + WRITE_MS;
	changed = has_changed();
	if (changed && m.calm && now_ms < m.calm_ms)
		return num_min(m.calm_ms + SLACK_MS, m.touch_ms);
	if (!changed && now_ms < m.touch_ms)
		return m.touch_ms;
	if (!changed && now_ms < m.rewrite_ms && touch() == 0) {
		m.touch_ms = now_ms + TOUCH_MS;
		return m.touch_ms;
	}
	if (write_file() < 0)
		return m.next_ms + SLACK_MS;
	wrote(now_ms);
	if (now_ms >= m.sweep_ms) {
		metrics_folder_sweep(m.dir);
		m.sweep_ms = now_ms + SWEEP_MS;
	}
	return changed ? m.next_ms + SLACK_MS : m.touch_ms;
}

void
metrics_close(void)
{
	if (m.path == NULL)
		return;
	(void)write_file();
	close_folder();
	m.path = NULL;
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
	return m.own;
}

int
metrics_text(struct buf *out)
{
	if (format() < 0)
		return -1;
	return buf_add(out, buf_ptr(&m.text), m.text.len);
}

/* A folder that was missing, or was replaced, is there the next time. */
static int
write_file(void)
{
	struct stat st;
	int saved;

	if (m.dir < 0)
		m.dir = open(m.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m.dir < 0)
		return -1;
	if (format() < 0 ||
	    metrics_folder_write(m.dir, m.aside, m.name, &m.text, &st) < 0) {
		saved = errno;
		close_folder();
		errno = saved;
		return -1;
	}
	buf_clear(&m.written);
	/* Without memory it is written once more. */
	(void)buf_add(&m.written, (const char *)m.table, m.n * sizeof *m.table);
	m.renamed = false;
	return 0;
}

/* 0, or -1: it is to be written. */
static int
touch(void)
{
	struct stat st;

	return m.dir < 0 ? -1 : metrics_folder_touch(m.dir, m.name, &st);
}

static void
close_folder(void)
{
	if (m.dir >= 0)
		close(m.dir);
	m.dir = -1;
}

static bool
is_same(const struct metric *a, const struct metric *b)
{
	return a->value == b->value && a->labels == b->labels &&
	       memcmp(a->buckets, b->buckets, sizeof a->buckets) == 0;
}

/* Are the series others than the file's? */
static bool
has_changed(void)
{
	const struct metric *was = (const void *)buf_ptr(&m.written);

	if (m.renamed || m.written.len != m.n * sizeof *m.table)
		return true;
	for (size_t i = 0; i < m.n; i++)
		if (!is_same(&m.table[i], &was[i]))
			return true;
	return false;
}

static int
format(void)
{
	static const struct metric build = {METRIC_BUILD_INFO,
	    .labels = "version=\"" INCR_VERSION "\"", .value = 1};
	struct metric process[METRICS_PROCESS],
	    updated = {METRIC_UPDATED, .value = (double)clock_unix_ms() / 1000};
	size_t n = metrics_process(process);
	const char *last = "";

	buf_clear(&m.text);
	if (metrics_format(&m.text, m.table, m.n, m.labels, &last) < 0 ||
	    metrics_format(&m.text, &build, 1, m.labels, &last) < 0 ||
	    metrics_format(&m.text, process, n, m.labels, &last) < 0)
		return -1;
	return metrics_format(&m.text, &updated, 1, m.labels, &last);
}
