/* Collects the exit statuses of child processes. */
#include "base/children.h"

#include <stddef.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

enum { LOOK_MS = 10, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

static int graver(int status, int wait_status);

int
children_status(int status, int64_t wait_ms)
{
	int64_t deadline_ms = clock_ms() + wait_ms;
	int child;
	pid_t pid;

	while ((pid = waitpid(-1, &child, WNOHANG)) >= 0) {
		if (pid > 0)
			status = graver(status, child);
		else if (clock_ms() >= deadline_ms)
			break;
		else
			io_poll(NULL, 0, clock_ms() + LOOK_MS);
	}
	return status;
}

static int
graver(int status, int wait_status)
{
	int child = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;

	if (child == NOT_EXECUTABLE || child == NOT_FOUND)
		child = EXIT_CONFIG;
	return child == EXIT_CONFIG || child == EXIT_BUG ? child : status;
}
