/*
 * Process identity.  In: a speaker, or a record from Redis, of which
 * nothing is believed.  Out: a record, or whether its process is gone.
 */
#include "queue/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/num.h"

enum { STAT_MAX = 1024, START_FIELD = 22 };

static int parse_process(
    const char *record, pid_t *ret_pid, uint64_t *ret_start);
static int read_stat(pid_t pid, char *ret_state, uint64_t *ret_start);
static int read_small(const char *path, char *ret, size_t size);

const char *
owner_boot(void)
{
	static char boot[OWNER_BOOT_MAX];
	char id[OWNER_BOOT_MAX], ns[OWNER_BOOT_MAX];
	ssize_t n;

	if (boot[0] != '\0')
		return boot;
	snprintf(boot, sizeof boot, "?");
	n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);
	if (n < 0 ||
	    read_small("/proc/sys/kernel/random/boot_id", id, sizeof id) < 0)
		return boot;
	ns[n] = '\0';
	id[strcspn(id, "\n")] = '\0';
	/* pid:[4026531836] */
	n = (ssize_t)strspn(ns, "pid:[");
	ns[strcspn(ns, "]")] = '\0';
	if (strlen(id) == ID_TEXT)
		snprintf(boot, sizeof boot, "%.36s-%.20s", id, ns + n);
	return boot;
}

void
owner_record(const struct id *speaker, char ret[OWNER_RECORD_MAX])
{
	char text[ID_TEXT + 1];
	uint64_t start = 0;
	char state;

	id_format(speaker, text);
	(void)read_stat(getpid(), &state, &start); /* 0 is nobody's */
	snprintf(ret, OWNER_RECORD_MAX, "%s %s %jd %ju", text, owner_boot(),
	    (intmax_t)getpid(), (uintmax_t)start);
}

bool
owner_speaks(const char *record, const struct id *speaker)
{
	char text[ID_TEXT + 1];

	id_format(speaker, text);
	return strncmp(record, text, ID_TEXT) == 0;
}

bool
owner_gone(const char *record)
{
	pid_t pid;
	uint64_t start, now;
	char state;

	if (parse_process(record, &pid, &start) < 0)
		return false;
	if (kill(pid, 0) < 0 && errno == ESRCH)
		return true;
	return read_stat(pid, &state, &now) == 0 &&
	       (now != start || state == 'Z' || state == 'X');
}

/* 0, or -1 if the record is not of this machine or not well-formed. */
static int
parse_process(const char *record, pid_t *ret_pid, uint64_t *ret_start)
{
	const char *boot = owner_boot(), *p;
	size_t boot_len = strlen(boot), pid_len;
	char text[24];
	uint64_t pid;

	if (strcmp(boot, "?") == 0 || strlen(record) < ID_TEXT + 1)
		return -1;
	p = record + ID_TEXT + 1;
	if (strncmp(p, boot, boot_len) != 0 || p[boot_len] != ' ')
		return -1;
	p += boot_len + 1;
	pid_len = strcspn(p, " ");
	if (pid_len >= sizeof text || p[pid_len] != ' ')
		return -1;
	memcpy(text, p, pid_len);
	text[pid_len] = '\0';
	/* A start of 0: it could not read its own. */
	if (num_u64(text, 1, INT32_MAX, &pid) < 0 ||
	    num_u64(p + pid_len + 1, 1, UINT64_MAX, ret_start) < 0)
		return -1;
	*ret_pid = (pid_t)pid;
	return 0;
}

/* Fields 3 and 22 of /proc/PID/stat.  Field 2 is the command's name in
 * brackets, and may contain anything: counting begins after the last one. */
static int
read_stat(pid_t pid, char *ret_state, uint64_t *ret_start)
{
	char path[64], stat[STAT_MAX], *p;
	int n;

	snprintf(path, sizeof path, "/proc/%jd/stat", (intmax_t)pid);
	if (read_small(path, stat, sizeof stat) < 0)
		return -1;
	p = strrchr(stat, ')');
	for (n = 2; p != NULL && n < START_FIELD; n++) {
		p = strchr(p + 1, ' ');
		if (p != NULL && n == 2)
			*ret_state = p[1];
	}
	if (p == NULL)
		return -1;
	p[1 + strcspn(p + 1, " ")] = '\0';
	return num_u64(p + 1, 1, UINT64_MAX, ret_start);
}

/* Reads at most size - 1 bytes, ends them with a NUL.  0 or -1. */
static int
read_small(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = read(fd, ret, size - 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n <= 0)
		return -1;
	ret[n] = '\0';
	return 0;
}
