/* Signals as a descriptor: which are taken, and the second SIGINT. */
#include "base/signals.h"
#include "check.h"

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two SIGINT, each read: the signal that ended the child, 0 if none did. */
static int
interrupted_twice(int fd)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		kill(getpid(), SIGINT);
		if (signals_next(fd) != SIGINT)
			_exit(1);
		kill(getpid(), SIGINT);
		signals_next(fd);
		_exit(2);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int
main(void)
{
	static const int more[] = {SIGHUP, SIGUSR1, 0};
	int fd;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	fd = signals_open(more);
	check(fd >= 0 && signals_next(fd) == 0, "none yet");
	kill(getpid(), SIGUSR1);
	check(signals_next(fd) == 0, "ignored at start");
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGTERM);
	check(signals_next(fd) == SIGHUP, "one of more");
	check(signals_next(fd) == SIGTERM, "SIGTERM");
	check(signals_next(fd) == 0, "none is left");
	check(interrupted_twice(fd) == SIGINT, "two SIGINT");
	return check_end();
}
