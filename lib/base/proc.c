/* Reads state and start of a process from /proc/PID/stat. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

enum { STAT_MAX = 1024, STATE_FIELD = 3, START_FIELD = 22, DIGITS_MAX = 20 };

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

int64_t
proc_age_s(pid_t pid)
{
	struct proc p;

	if (proc_read(pid, &p) < 0)
		return -1;
	return clock_ms() / 1000 -
	       (int64_t)(p.start_ticks / (uint64_t)sysconf(_SC_CLK_TCK));
}
