/* Writes a program's series to its file, and removes files left behind. */
#include "base/metrics.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/metrics_list.h"
#include "base/num.h"
#include "base/proc.h"

enum {
	WRITE_MS = 1000,
	REWRITE_MS = 4000, /* also if nothing has changed: less than SILENT_S */
	SWEEP_MS = 60000,
	SWEEP_MAX = 10000, /* names looked at in one sweep */
	KEEP_S = 300,      /* the file of a process that is gone */
	SILENT_S = 10,     /* what a gauge says is over */
	HOST_MAX = 65,
	SLACK_S = 5 /* between two clocks */
};

const double metrics_bounds[METRICS_BUCKETS] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10};

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

/* Where pids mean something. */
struct place {
	char host[HOST_MAX];
	char pidns[24]; /* inode of the pid namespace; 0: unknown */
};

#define HOST_CHARS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"

static const struct place *here(void);
static int write_file(void);
static bool has_changed(void);
static int format(void);
static int format_metric(const struct metric *s, const char **last);
static int format_series(const struct metric *s);
static int format_histogram(const struct metric *s);
static int put(const char *name, const char *suffix, const char *labels,
    const char *le, double value);
static void sweep(void);
static int64_t age_s(int dir, const char *name);
static bool parse_name(const char *name, uint64_t *ret_pid);
static bool is_here(const char *name);

int
metrics_open(const char *prog, struct metric *table, size_t n)
{
	const char *dir = getenv("INCR_METRICS_DIR");
	const struct place *p = here();
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

/* Containers may share the folder, and on one host its name. */
static const struct place *
here(void)
{
	static struct place p;
	struct proc_namespaces n = {0};

	if (p.host[0] != '\0')
		return &p;
	if (gethostname(p.host, sizeof p.host - 1) < 0 || p.host[0] == '\0')
		snprintf(p.host, sizeof p.host, "unknown");
	for (char *c = p.host; *c != '\0'; c++)
		if (strchr(HOST_CHARS, *c) == NULL)
			*c = '_';
	(void)proc_namespaces(&n);
	snprintf(p.pidns, sizeof p.pidns, "%ju", (uintmax_t)n.pid);
	return &p;
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
		sweep();
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
metrics_text(struct buf *out)
{
	return format() < 0 ? -1 : buf_add(out, buf_ptr(&m.text), m.text.len);
}

static int
write_file(void)
{
	int fd, failed;

	/* Other users may write in the folder: a name that is there already may
	 * be one of another file. */
	if (unlinkat(m.dir, m.aside, 0) < 0 && errno != ENOENT)
		return -1;
	fd = openat(
	    m.dir, m.aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	(void)fchmod(fd, 0644); /* whatever the umask: others collect them */
	failed = io_write_all(
	    fd, buf_ptr(&m.text), m.text.len, clock_ms() + WRITE_MS);
	if (close(fd) < 0 || failed < 0 ||
	    renameat(m.dir, m.aside, m.dir, m.name) < 0)
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
	for (size_t i = 0; i < m.n; i++)
		if (format_metric(&m.table[i], &last) < 0)
			return -1;
	if (format_metric(&build, &last) < 0)
		return -1;
	m.same = m.text.len;
	return format_metric(&updated, &last);
}

/* Behind HELP and TYPE, if it is the first of its name. */
static int
format_metric(const struct metric *s, const char **last)
{
	static const char *const kinds[] = {[METRICS_COUNTER] = "counter",
	    [METRICS_GAUGE] = "gauge",
	    [METRICS_HISTOGRAM] = "histogram"};

	if (strcmp(s->name, *last) != 0 &&
	    buf_addf(&m.text, "# HELP %s %s\n# TYPE %s %s\n", s->name, s->help,
		s->name, kinds[s->kind]) < 0)
		return -1;
	*last = s->name;
	return format_series(s);
}

static int
format_series(const struct metric *s)
{
	if (s->kind == METRICS_HISTOGRAM)
		return format_histogram(s);
	return put(s->name, "", s->labels, NULL, s->value);
}

/* Each bucket of the file has all that is below it, too. */
static int
format_histogram(const struct metric *s)
{
	uint64_t below = 0;
	char le[32];

	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		below += s->buckets[i];
		snprintf(le, sizeof le, "%g", metrics_bounds[i]);
		if (put(s->name, "_bucket", s->labels, le, (double)below) < 0)
			return -1;
	}
	below += s->buckets[METRICS_BUCKETS];
	if (put(s->name, "_bucket", s->labels, "+Inf", (double)below) < 0 ||
	    put(s->name, "_sum", s->labels, NULL, s->value) < 0)
		return -1;
	return put(s->name, "_count", s->labels, NULL, (double)below);
}

/* Sixteen digits: every count up to 2^53 is exact, and 0.1 stays short. */
static int
put(const char *name, const char *suffix, const char *labels, const char *le,
    double value)
{
	return buf_addf(&m.text, "%s%s{%s%s%s%s%s%s} %.16g\n", name, suffix,
	    labels == NULL ? "" : labels, labels == NULL ? "" : ",",
	    le == NULL ? "" : "le=\"", le == NULL ? "" : le,
	    le == NULL ? "" : "\",", m.labels, value);
}

/* Removes files of processes that have ended. */
static void
sweep(void)
{
	int fd = openat(m.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	size_t seen = 0;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (seen++ < SWEEP_MAX && (e = readdir(dir)) != NULL)
		if (metrics_stale(m.dir, e->d_name))
			(void)unlinkat(m.dir, e->d_name, 0);
	closedir(dir);
}

/*
 * A process that runs writes its file every few seconds.  One that is stopped,
 * or whose disk is full, does not; here /proc shows that it is older than its
 * file.
 */
bool
metrics_stale(int dir, const char *name)
{
	int64_t age = age_s(dir, name);
	uint64_t pid;

	return age >= KEEP_S && parse_name(name, &pid) &&
	       !(is_here(name) && proc_age_s((pid_t)pid) >= age - SLACK_S);
}

bool
metrics_silent(int dir, const char *name)
{
	return age_s(dir, name) > SILENT_S;
}

/* Of a metrics file; INT64_MIN if it is none. */
static int64_t
age_s(int dir, const char *name)
{
	struct stat st;
	uint64_t pid;

	if (!parse_name(name, &pid) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return INT64_MIN;
	return clock_unix_ms() / 1000 - (int64_t)st.st_mtime;
}

/* Is it of a process that has its pid here? */
static bool
is_here(const char *name)
{
	const struct place *p = here();
	char end[HOST_MAX + sizeof p->pidns + 4];
	const char *dash = strrchr(name, '-');
	size_t len =
	    (size_t)snprintf(end, sizeof end, "-%s-%s", p->host, p->pidns);

	return strcmp(p->pidns, "0") != 0 && dash != NULL &&
	       (size_t)(dash - name) > len && memcmp(dash - len, end, len) == 0;
}

/* [.]incr-NAME-HOST-PIDNS-PID.prom[.new]; the folder may have files of others.
 */
static bool
parse_name(const char *name, uint64_t *ret_pid)
{
	char digits[32];
	const char *dash, *dot;

	name += *name == '.';
	dash = strrchr(name, '-');
	dot = dash == NULL ? NULL : strchr(dash, '.');
	if (strncmp(name, "incr-", 5) != 0 || dot == NULL ||
	    (strcmp(dot, ".prom") != 0 && strcmp(dot, ".prom.new") != 0))
		return false;
	snprintf(
	    digits, sizeof digits, "%.*s", (int)(dot - dash - 1), dash + 1);
	return num_u64(digits, 1, INT_MAX, ret_pid) == 0;
}
