/* Reads state and start of a process from /proc/PID/stat. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

enum {
	TARGET_MAX = 64,
	STAT_MAX = 1024,
	STATE_FIELD = 3,
	START_FIELD = 22,
	DIGITS_MAX = 20
};

static int read_number(const char *path, const char *prefix, uint64_t *ret);

int
proc_read_file(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = read(fd, ret, size - 1);
	while (n < 0 && errno == EINTR);
	saved = n == 0 ? EINVAL : errno;
	close(fd);
	errno = saved;
	if (n <= 0)
		return -1;
	ret[n] = '\0';
	return 0;
}

/* Field 2 is the command's name in brackets, and may contain anything: fields
 * are counted from the last closing bracket. */
int
proc_parse(const char *stat, struct proc *ret)
{
	const char *at = strrchr(stat, ')');
	char digits[DIGITS_MAX + 1];
	struct proc p = {0};
	size_t len;

	for (int field = STATE_FIELD; at != NULL; field++) {
		at = strchr(at, ' ');
		if (at == NULL || field == START_FIELD)
			break;
		at++;
		if (field == STATE_FIELD)
			p.state = *at;
	}
	if (at == NULL)
		return -1;
	len = strcspn(++at, " ");
	if (len > DIGITS_MAX)
		return -1;
	memcpy(digits, at, len);
	digits[len] = '\0';
	if (num_u64(digits, 1, UINT64_MAX, &p.start_ticks) < 0)
		return -1;
	*ret = p;
	return 0;
}

int
proc_read(pid_t pid, struct proc *ret)
{
	char path[64], stat[STAT_MAX];

	snprintf(path, sizeof path, "/proc/%jd/stat", (intmax_t)pid);
	return proc_read_file(path, stat, sizeof stat) < 0
		   ? -1
		   : proc_parse(stat, ret);
}

int
proc_namespaces(struct proc_namespaces *ret)
{
	struct proc_namespaces n = {0};
	uint64_t self;

	if (read_number("/proc/self", "", &self) < 0 ||
	    self != (uint64_t)getpid() ||
	    read_number("/proc/self/ns/pid", "pid:[", &n.pid) < 0)
		return -1;
	(void)read_number("/proc/self/ns/time", "time:[", &n.time);
	*ret = n;
	return 0;
}

/* The number behind prefix in a link: 42, pid:[4026531836]. */
static int
read_number(const char *path, const char *prefix, uint64_t *ret)
{
	char text[TARGET_MAX];
	size_t len = strlen(prefix);
	ssize_t n = readlink(path, text, sizeof text - 1);

	if (n < 0)
		return -1;
	text[n] = '\0';
	if (strncmp(text, prefix, len) != 0)
		return -1;
	text[len + strcspn(text + len, "]")] = '\0';
	return num_u64(text + len, 1, UINT64_MAX, ret);
}

int64_t
proc_age_s(pid_t pid)
{
	struct proc p;

	if (proc_read(pid, &p) < 0)
		return -1;
	return clock_ms() / 1000 -
	       (int64_t)(p.start_ticks / (uint64_t)sysconf(_SC_CLK_TCK));
}
