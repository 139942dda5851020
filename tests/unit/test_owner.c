/*
 * Owner records: whose process is gone, and whose is not known to be.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"
#include "check.h"
#include "queue/owner.h"

static const struct id self = {{1, 2, 3}}, other = {{1, 2, 3, [15] = 1}};

static const char *
record_of(const char *boot, intmax_t pid, uintmax_t start)
{
	static char record[OWNER_RECORD_MAX];
	char text[ID_TEXT + 1];

	id_format(&self, text);
	snprintf(
	    record, sizeof record, "%s %s %jd %ju", text, boot, pid, start);
	return record;
}

static void
check_self(void)
{
	char record[OWNER_RECORD_MAX];
	struct proc now = {0};

	owner_record(&self, record);
	check(owner_speaks(record, &self), "%s", record);
	check(!owner_speaks(record, &other), "%s", record);
	check(!owner_gone(record), "%s", record);
	check(proc_read(getpid(), &now) == 0, "/proc/self/stat");
	check(strcmp(record,
		  record_of(owner_boot(), getpid(), now.start_ticks)) == 0,
	    "%s", record);
}

/* The number is there, but it is another process's by now. */
static void
check_number_used_again(void)
{
	struct proc now = {0};

	check(proc_read(getpid(), &now) == 0, "/proc/self/stat");
	check(
	    owner_gone(record_of(owner_boot(), getpid(), now.start_ticks + 1)),
	    "began later");
}

/* Killed, and then waited for. */
static void
check_killed(void)
{
	char record[OWNER_RECORD_MAX];
	struct proc child = {0};
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	check(pid > 0 && proc_read(pid, &child) == 0, "child %d", (int)pid);
	memcpy(record, record_of(owner_boot(), pid, child.start_ticks),
	    sizeof record);
	check(!owner_gone(record), "runs");
	kill(pid, SIGKILL);
	check(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0, "wait");
	check(owner_gone(record), "not waited for");
	check(waitpid(pid, NULL, 0) == pid, "wait");
	check(owner_gone(record), "no such process");
}

/* Of such records nobody can say that the process is gone. */
static void
check_not_known(void)
{
	static const char *const bad[] = {"", "x",
	    "01020300-0000-0000-0000-000000000000",
	    "01020300-0000-0000-0000-000000000000 "};
	char boot[OWNER_BOOT_MAX + 2], record[OWNER_RECORD_MAX];

	for (size_t i = 0; i < check_n(bad); i++)
		check(!owner_gone(bad[i]), "%s", bad[i]);
	check(!owner_gone(record_of("?", INT32_MAX, 1)), "no boot id");
	snprintf(boot, sizeof boot, "%s1", owner_boot());
	check(!owner_gone(record_of(boot, INT32_MAX, 1)), "another namespace");
	check(!owner_gone(record_of(owner_boot(), INT32_MAX, 0)),
	    "could not read its own start");
	snprintf(record, sizeof record, "%s %sx%d 1", bad[2], owner_boot(),
	    INT32_MAX);
	check(!owner_gone(record), "%s", record);
	check(!owner_gone(record_of(owner_boot(), 0, 1)), "no number");
	check(!owner_gone(record_of(owner_boot(), -1, 1)), "negative");
	check(!owner_gone(
		  record_of(owner_boot(), (INTMAX_C(1) << 32) + INT32_MAX, 1)),
	    "larger than a pid");
	check(owner_gone(record_of(owner_boot(), INT32_MAX, 1)), "gone");
}

int
main(void)
{
	check_self();
	check_number_used_again();
	check_killed();
	check_not_known();
	return check_end();
}
