/* Writes and judges the files in the folder of metrics. */
#include "base/metrics_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "base/proc.h"

enum {
	WRITE_MS = 1000,   /* for a disk that hangs */
	SWEEP_MAX = 10000, /* names looked at in one sweep */
	KEEP_S = 300,      /* the file of a process that is gone */
	SILENT_S = 10,     /* what a gauge says is over */
	SLACK_S = 5        /* between two clocks */
};

#define HOST_CHARS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"

const struct metrics_place *
metrics_folder_here(void)
{
	static struct metrics_place p;
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

int
metrics_folder_write(int dir, const char *aside, const char *name,
    const struct buf *text, struct stat *ret_st)
{
	int fd, failed;

	/* Other users may write in the folder: a name that is there already may
	 * be one of another file. */
	if (unlinkat(dir, aside, 0) < 0 && errno != ENOENT)
		return -1;
	fd = openat(dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	(void)fchmod(fd, 0644); /* whatever the umask: others collect them */
	failed =
	    io_write_all(fd, buf_ptr(text), text->len, clock_ms() + WRITE_MS);
	failed |= fstat(fd, ret_st);
	if (close(fd) < 0 || failed < 0)
		return -1;
	return renameat(dir, aside, dir, name);
}

int
metrics_folder_touch(int dir, const char *name, struct stat *ret_st)
{
	if (utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return fstatat(dir, name, ret_st, AT_SYMLINK_NOFOLLOW);
}

/* -- ages ----------------------------------------------------------------- */

/* [.]incr-NAME-HOST-PIDNS-PID.prom[.new] of a process, or of a queue: pid 0.
 */
static bool
parse_name(const char *name, uint64_t *ret_pid)
{
	static const char queue[] = METRICS_FOLDER_QUEUE;
	char digits[32];
	const char *dash, *dot, *end = strrchr(name, '.');

	if (strncmp(name, queue, sizeof queue - 1) == 0 && end != NULL &&
	    strcmp(end, ".prom") == 0) {
		*ret_pid = 0;
		return true;
	}
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

/* Is it of a process that has its pid here? */
static bool
is_here(const char *name)
{
	const struct metrics_place *p = metrics_folder_here();
	char end[sizeof p->host + sizeof p->pidns + 4];
	const char *dash = strrchr(name, '-');
	size_t len =
	    (size_t)snprintf(end, sizeof end, "-%s-%s", p->host, p->pidns);

	return strcmp(p->pidns, "0") != 0 && dash != NULL &&
	       (size_t)(dash - name) > len && memcmp(dash - len, end, len) == 0;
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

/*
 * A process that runs writes its file every few seconds.  One that is stopped,
 * or whose disk is full, does not; here /proc shows that it is older than its
 * file.
 */
bool
metrics_folder_is_stale(int dir, const char *name)
{
	int64_t age = age_s(dir, name);
	uint64_t pid;

	return age >= KEEP_S && parse_name(name, &pid) &&
	       !(pid != 0 && is_here(name) &&
		   proc_age_s((pid_t)pid) >= age - SLACK_S);
}

bool
metrics_folder_is_silent(int dir, const char *name)
{
	return age_s(dir, name) > SILENT_S;
}

void
metrics_folder_sweep(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	size_t seen = 0;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (seen++ < SWEEP_MAX && (e = readdir(d)) != NULL)
		if (metrics_folder_is_stale(dir, e->d_name))
			(void)unlinkat(dir, e->d_name, 0);
	closedir(d);
}
