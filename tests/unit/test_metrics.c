/*
 * The metrics file: its text, and whose files are removed.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/metrics.h"
#include "base/metrics_shared.h"
#include "base/proc.h"
#include "check.h"

static struct metric series[] = {
    {.name = "incr_a_total", .help = "An a.", .labels = "code=\"400\""},
    {.name = "incr_a_total", .help = "An a.", .labels = "code=\"404\""},
    {.name = "incr_c_total", .help = "A c.", .labels = "of=\"0\"", .rare = 1},
    {.name = "incr_c_total",
	.help = "A c.",
	.labels = "of=\"1\"",
	.rare = 1,
	.value = 1},
    {.name = "incr_b_seconds", .help = "A b.", .kind = METRICS_HISTOGRAM},
};

static char dir[] = "/tmp/incr-metrics.XXXXXX";

static char *
path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* The labels of this process, and its file. */
static struct proc_namespaces ns;
static char host[128];

static char *
own_file(void)
{
	char name[256];

	snprintf(name, sizeof name, "incr-x-%s-%ju-%ju.prom", host,
	    (uintmax_t)ns.pid, (uintmax_t)getpid());
	return path_of(name);
}

/* Asks for a line of the text, whose program is incr-x and whose value is
 * value. */
static void
check_line(const char *text, const char *series_labels, const char *value)
{
	char line[512];

	snprintf(line, sizeof line,
	    "%sprogram=\"incr-x\",host=\"%s\",pidns=\"%ju\",pid=\"%ju\"} %s\n",
	    series_labels, host, (uintmax_t)ns.pid, (uintmax_t)getpid(), value);
	check(strstr(text, line) != NULL, "%s", line);
}

/* The value of a series of the process. */
static double
process(const char *text, const char *name)
{
	char start[128];
	const char *at, *value;

	snprintf(start, sizeof start, "\n%s{program=\"incr-x\"", name);
	at = strstr(text, start);
	value = at == NULL ? NULL : strstr(at, "} ");
	check(value != NULL, "%s", name);
	return value == NULL ? -1 : strtod(value + 2, NULL);
}

static void
check_process(const char *text)
{
	double now = (double)time(NULL), fds = 3 + 1; /* and the folder's */

	check(process(text, "process_cpu_seconds_total") > 0, "CPU");
	check(process(text, "process_cpu_seconds_total") < 60, "CPU");
	check(
	    process(text, "process_resident_memory_bytes") > 100000, "memory");
	check(process(text, "process_resident_memory_bytes") < 1e9, "memory");
	check(process(text, "process_open_fds") >= fds, "descriptors");
	check(process(text, "process_open_fds") < fds + 20, "descriptors");
	check(process(text, "process_max_fds") >= 20, "descriptors");
	check(process(text, "process_start_time_seconds") > now - 600, "start");
	check(process(text, "process_start_time_seconds") < now + 2, "start");
}

static void
check_text(void)
{
	char text[8192], line[256], *updated;
	FILE *f;
	size_t len;

	series[0].value = 9007199254740991; /* 2^53 - 1 */
	metrics_observe(&series[4], 0.0005);
	metrics_observe(&series[4], 0.003);
	metrics_observe(&series[4], 99);
	metrics_tick(INT64_MAX / 2);
	f = fopen(own_file(), "r");
	check(f != NULL, "%s", own_file());
	if (f == NULL)
		return;
	len = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[len] = '\0';
#define HAS(...) \
	do { \
		snprintf(line, sizeof line, __VA_ARGS__); \
		check(strstr(text, line) != NULL, "%s", line); \
	} while (0)
	HAS("# HELP incr_a_total An a.\n# TYPE incr_a_total counter\n");
	check(
	    strstr(strstr(text, "# TYPE incr_a") + 1, "# TYPE incr_a") == NULL,
	    "TYPE twice");
	check_line(text, "incr_a_total{code=\"400\",", "9007199254740991");
	check_line(text, "incr_b_seconds_bucket{le=\"0.0005\",", "1");
	check_line(text, "incr_b_seconds_bucket{le=\"10\",", "2");
	check_line(text, "incr_b_seconds_bucket{le=\"+Inf\",", "3");
	check_line(text, "incr_b_seconds_sum{", "99.0035");
	check(strstr(text, "of=\"0\"") == NULL, "rare");
	check_line(text, "incr_c_total{of=\"1\",", "1");
	HAS("incr_build_info{version=\"");
	check_process(text);
	HAS("# TYPE incr_updated_timestamp_seconds gauge\n");
	updated = strstr(text, "\nincr_updated_timestamp_seconds{");
	check(updated != NULL && strstr(updated, "} ") != NULL, "updated");
	if (updated != NULL) {
		double at = strtod(strstr(updated, "} ") + 2, NULL);

		check(at > (double)time(NULL) - 60 &&
			  at < (double)time(NULL) + 60,
		    "%f", at);
	}
}

static int64_t now_ms = INT64_MAX / 2;
static int64_t slept_ms; /* how long the last tick lets its program sleep */

static void
tick(int64_t ms)
{
	now_ms += ms;
	slept_ms = metrics_tick(now_ms) - now_ms;
}

/* Whether the file is written by a tick ms after the last one. */
static bool
is_written(int64_t ms)
{
	unlink(own_file());
	tick(ms);
	return access(own_file(), F_OK) == 0;
}

static void
check_rewriting(void)
{
	series[0].value = 1;
	check(is_written(1000) && slept_ms == 1000, "changed");
	check(!is_written(1000) && slept_ms == 3000, "unchanged, 1 s");
	check(!is_written(2000) && slept_ms == 1000, "unchanged, 3 s");
	check(is_written(1000) && slept_ms == 4000, "unchanged, 4 s");
	series[1].value = 1;
	check(!is_written(500) && slept_ms == 500, "changed, too soon");
	check(is_written(500), "changed");
	metrics_observe(&series[4], 0.1);
	check(is_written(1000), "observed");
	check(!is_written(3000), "unchanged");
	check(is_written(1000), "unchanged, 4 s");
}

static void
check_calm(void)
{
	metrics_calm(true);
	series[0].value++;
	check(!is_written(1000) && slept_ms < 1000, "it may wait");
	check(is_written(1000), "changed, 2 s");
	metrics_calm(false);
	series[0].value++;
	check(is_written(1000), "changed, 1 s");
}

static struct stat
status_of(const char *path)
{
	struct stat st = {0};

	check(stat(path, &st) == 0, "%s", path);
	return st;
}

/* A file that would be the same only gets a new time, for twelve seconds. */
static void
check_touching(void)
{
	struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct stat st;
	ino_t was;

	series[0].value++;
	check(is_written(1000), "changed");
	was = status_of(own_file()).st_ino;
	for (int turn = 0; turn < 2; turn++) {
		utimensat(AT_FDCWD, own_file(), old, 0);
		tick(4000);
		st = status_of(own_file());
		check(st.st_ino == was && st.st_mtime > 1, "touched");
		check(slept_ms == 4000, "then nothing is to be done");
	}
	tick(4000);
	check(status_of(own_file()).st_ino != was, "written, 12 s");
}

static void
check_shared(void)
{
	struct metric ready = {
	    .name = "incr_r", .help = "An r.", .labels = "queue=\"q\""};
	struct metrics_shared s;
	char file[512];
	struct stat first, second;

	snprintf(file, sizeof file, "%s", path_of("incr-queue-q.prom"));
	metrics_shared_init(&s, "q");
	metrics_shared_write(&s, &ready, 1);
	first = status_of(file);
	metrics_shared_write(&s, &ready, 1);
	second = status_of(file);
	check(second.st_ino == first.st_ino, "the same is not written again");
	check(metrics_shared_is_due(&s), "its own");
	ready.value = 1;
	metrics_shared_write(&s, &ready, 1);
	check(status_of(file).st_ino != second.st_ino, "another value");
	unlink(file);
	metrics_shared_write(&s, &ready, 1);
	check(status_of(file).st_size > 0, "it was removed");
	metrics_shared_free(&s);
	unlink(file);
}

/* Files as old as age_s, and whether the sweep leaves them. */
static const struct {
	const char *name;
	int age_s;
	int stays;
} files[] = {
    {"incr-y-99999999.prom", 600, 0},
    {".incr-y-99999999.prom.new", 600, 0},
    {"incr-y-99999998.prom", 200, 1}, /* not for five minutes yet */
    {"incr-y-h-1-1.prom", 600, 0},    /* of another namespace */
    {"incr-y-x.prom", 600, 1},        /* no pid */
    {"other-99999999.prom", 600, 1},  /* not ours */
    {"incr-y-99999999.txt", 600, 1},
};

static void
check_sweep(void)
{
	for (size_t i = 0; i < check_n(files); i++) {
		struct timespec old[2] = {
		    {.tv_sec = time(NULL) - files[i].age_s},
		    {.tv_sec = time(NULL) - files[i].age_s}};
		int fd = open(path_of(files[i].name), O_WRONLY | O_CREAT, 0644);

		check(fd >= 0 && futimens(fd, old) == 0, "%s", files[i].name);
		close(fd);
	}
	tick(3600000);
	for (size_t i = 0; i < check_n(files); i++) {
		int there = access(path_of(files[i].name), F_OK) == 0;

		check(there == files[i].stays, "%s", files[i].name);
		unlink(path_of(files[i].name));
	}
}

/* A folder that was missing when the program started, and then was replaced. */
static void
check_missing(void)
{
	char sub[sizeof dir + 8], file[512];
	const char *name = strrchr(own_file(), '/') + 1;
	int64_t at_ms = INT64_MAX / 4;

	snprintf(sub, sizeof sub, "%s/later", dir);
	snprintf(file, sizeof file, "%s/%s", sub, name);
	setenv("INCR_METRICS_DIR", sub, 1);
	check(metrics_open("incr-x", series, check_n(series)) < 0, "missing");
	for (int turn = 0; turn < 2; turn++) {
		series[0].value++; /* a change, which can't be written */
		at_ms += 1000;
		check(metrics_tick(at_ms) == at_ms + 1000, "again");
		check(metrics_dir() < 0, "missing");
		check(mkdir(sub, 0700) == 0, "%s", sub);
		metrics_tick(at_ms += 1000);
		check(metrics_dir() >= 0, "there");
		check(unlink(file) == 0, "%s", file);
		check(rmdir(sub) == 0, "%s", sub);
	}
	metrics_close();
	setenv("INCR_METRICS_DIR", dir, 1);
}

/* What others put where the file is written aside is not written through. */
static void
check_planted(void)
{
	char victim[512], aside[512], text[3] = "";
	const char *name = strrchr(own_file(), '/') + 1;
	int fd;

	snprintf(aside, sizeof aside, "%s/.%s.new", dir, name);
	snprintf(victim, sizeof victim, "%s/victim", dir);
	fd = open(victim, O_RDWR | O_CREAT, 0600);
	check(fd >= 0 && write(fd, "is", 2) == 2, "%s", victim);
	for (int turn = 0; turn < 2; turn++) {
		check((turn == 0 ? link(victim, aside)
				 : symlink(victim, aside)) == 0,
		    "%s", aside);
		check(metrics_open("incr-x", series, check_n(series)) == 0,
		    "planted");
		metrics_close();
		check(access(own_file(), F_OK) == 0, "not written");
		check(pread(fd, text, sizeof text, 0) == 2, "written through");
	}
	close(fd);
	unlink(victim);
}

int
main(void)
{
	unsetenv("INCR_METRICS_DIR");
	gethostname(host, sizeof host - 1);
	check(proc_namespaces(&ns) == 0, "namespaces");
	check(metrics_open("incr-x", series, check_n(series)) == 0, "off");
	check(metrics_tick(0) == IO_FOREVER, "off");
	setenv("INCR_METRICS_DIR", "/dev/null/none", 1);
	check(metrics_open("incr-x", series, check_n(series)) < 0, "missing");
	check(metrics_tick(0) < IO_FOREVER, "missing");
	metrics_close();
	if (mkdtemp(dir) == NULL)
		return 1;
	check_missing();
	setenv("INCR_METRICS_DIR", dir, 1);
	check_planted();
	check(metrics_open("incr-x", series, check_n(series)) == 0, "%s", dir);
	check_text();
	check_rewriting();
	check_calm();
	check_touching();
	check_shared();
	check_sweep();
	metrics_close();
	unlink(own_file());
	check(rmdir(dir) == 0, "something else was left in %s", dir);
	return check_end();
}
