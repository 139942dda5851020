/* Stops and reaps child processes, and collects their exit statuses. */
#include "base/children.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"

enum { LOOK_MS = 10, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

static int worst; /* status of a child that was reaped, 0: none that counts */

static int graver(int status, int wait_status);

pid_t
children_named(void)
{
	const char *text = getenv("INCR_CHILD");
	siginfo_t info;
	uint64_t pid;

	/* A number that is no child of ours is left over from somebody else. */
	return text != NULL && num_u64(text, 1, INT32_MAX, &pid) == 0 &&
		       waitid(P_PID, (id_t)pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) == 0
		   ? (pid_t)pid
		   : 0;
}

void
children_stop(void)
{
	pid_t pid = children_named();

	if (pid != 0)
		kill(pid, SIGTERM);
}

bool
children_reap(void)
{
	siginfo_t info = {0};
	int status;

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		bool stranger;

		if (info.si_pid == 0)
			return true;
		stranger = getsid(info.si_pid) != getsid(0);
		if (waitpid(info.si_pid, &status, 0) > 0 && !stranger)
			worst = graver(worst, status);
		info.si_pid = 0;
	}
	return false;
}

int
children_status(int status, int64_t wait_ms)
{
	int64_t deadline_ms = clock_ms() + wait_ms;

	while (children_reap() && clock_ms() < deadline_ms)
		io_poll(NULL, 0, clock_ms() + LOOK_MS);
	return worst != 0 ? worst : status;
}

static int
graver(int status, int wait_status)
{
	int child = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;

	if (child == NOT_EXECUTABLE || child == NOT_FOUND)
		child = EXIT_CONFIG;
	return child == EXIT_CONFIG || child == EXIT_BUG ? child : status;
}
