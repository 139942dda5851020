/* Reads SIGTERM, SIGINT and others from a descriptor. */
#include "base/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void add_signal(sigset_t *set, int sig);
static void end(int sig);

int
signals_open(const int *more)
{
	sigset_t set;

	sigemptyset(&set);
	add_signal(&set, SIGTERM);
	add_signal(&set, SIGINT);
	for (; more != NULL && *more != 0; more++)
		add_signal(&set, *more);
	if (getpid() == 1 && !sigismember(&set, SIGCHLD))
		signal(SIGCHLD, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void
add_signal(sigset_t *set, int sig)
{
	struct sigaction was;

	if (sigaction(sig, NULL, &was) == 0 && was.sa_handler != SIG_IGN)
		sigaddset(set, sig);
}

void
signals_default(void)
{
	struct sigaction was, by = {.sa_handler = end};

	if (getpid() != 1)
		return;
	signal(SIGCHLD, SIG_IGN);
	if (sigaction(SIGTERM, NULL, &was) == 0 && was.sa_handler == SIG_DFL)
		sigaction(SIGTERM, &by, NULL);
	if (sigaction(SIGINT, NULL, &was) == 0 && was.sa_handler == SIG_DFL)
		sigaction(SIGINT, &by, NULL);
}

static void
end(int sig)
{
	_exit(128 + sig);
}

int
signals_next(int fd)
{
	static int interrupts;
	struct signalfd_siginfo info;
	sigset_t set;

	if (read(fd, &info, sizeof info) != (ssize_t)sizeof info)
		return 0;
	if (info.ssi_signo == SIGINT && ++interrupts == 2) {
		signal(SIGINT, SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, SIGINT);
		raise(SIGINT);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		_exit(128 + SIGINT); /* process 1 */
	}
	return (int)info.ssi_signo;
}
