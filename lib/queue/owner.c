/*
 * Writes the owner record of this process; says whether another's is gone.
 *
 * Nothing in a record from Redis is believed.
 */
#include "queue/owner.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/num.h"
#include "base/proc.h"

static int parse_process(
    const char *record, pid_t *ret_pid, uint64_t *ret_start);

const char *
owner_boot(void)
{
	static char boot[OWNER_BOOT_MAX];
	char id[ID_TEXT + 2];
	struct proc_namespaces n;

	if (boot[0] != '\0')
		return boot;
	snprintf(boot, sizeof boot, "?");
	if (proc_namespaces(&n) < 0 ||
	    proc_read_file("/proc/sys/kernel/random/boot_id", id, sizeof id) <
		0)
		return boot;
	id[strcspn(id, "\n")] = '\0';
	if (strlen(id) == ID_TEXT)
		snprintf(boot, sizeof boot, "%s-%ju-%ju", id, (uintmax_t)n.pid,
		    (uintmax_t)n.time);
	return boot;
}

void
owner_record(const struct id *speaker, char ret[OWNER_RECORD_MAX])
{
	static struct proc self;
	static pid_t pid; /* self's */
	char text[ID_TEXT + 1];

	id_format(speaker, text);
	if (pid != getpid()) {
		self = (struct proc){0}; /* a start of 0 is nobody's */
		if (proc_read(getpid(), &self) == 0)
			pid = getpid();
	}
	snprintf(ret, OWNER_RECORD_MAX, "%s %s %jd %ju", text, owner_boot(),
	    (intmax_t)getpid(), (uintmax_t)self.start_ticks);
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
	struct proc now;
	uint64_t start;
	pid_t pid;

	if (parse_process(record, &pid, &start) < 0)
		return false;
	if (kill(pid, 0) < 0 && errno == ESRCH)
		return true;
	return proc_read(pid, &now) == 0 &&
	       (now.start_ticks != start || now.state == 'Z' ||
		   now.state == 'X');
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
