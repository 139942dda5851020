/* guard COMMAND...: runs COMMAND, and ends with it everything that it started.
 */

/*
 * When COMMAND ends, or at SIGINT, SIGTERM or SIGHUP, or when the parent of
 * guard ends, each process that COMMAND started gets SIGTERM, and after five
 * seconds SIGKILL: also those in process groups and sessions of their own, and
 * daemons, since guard is the parent of whoever loses its own
 * (PR_SET_CHILD_SUBREAPER).  No process is left then.
 *
 * The status is that of COMMAND, 128 and the signal's number after a signal,
 * 111 if COMMAND could not be run.
 */

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_S = 5, FAILED = 111, PROCESSES_MAX = 65536 };

struct process {
	pid_t pid;
	pid_t parent;
	bool ours;
};

static struct process processes[PROCESSES_MAX];

static pid_t start(char **command, const sigset_t *before);
static int wait_for(pid_t command, const sigset_t *signals, int *ret_status);
static void end_all(const sigset_t *signals);
static time_t now_s(void);
static bool reap(pid_t command, int *ret_status);
static void signal_all(int signal);
static size_t list_processes(void);
static pid_t parent_of(pid_t pid);
static bool mark_children(size_t n);
static bool parent_is_ours(size_t i, size_t n);

int
main(int argc, char **argv)
{
	sigset_t signals, before;
	int status = 0, signal;
	pid_t command;

	if (argc < 2) {
		fputs("usage: guard COMMAND...\n", stderr);
		return 100;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &before);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1UL) != 0 ||
	    prctl(PR_SET_PDEATHSIG, (unsigned long)SIGTERM) != 0) {
		perror("guard: prctl");
		return FAILED;
	}
	command = start(argv + 1, &before);
	if (command == -1) {
		perror("guard: fork");
		return FAILED;
	}
	signal = wait_for(command, &signals, &status);
	end_all(&signals);
	if (signal != 0)
		return 128 + signal;
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static pid_t
start(char **command, const sigset_t *before)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigprocmask(SIG_SETMASK, before, NULL);
		execvp(command[0], command);
		fprintf(stderr, "guard: %s: %s\n", command[0], strerror(errno));
		_exit(FAILED);
	}
	return pid;
}

/* Until COMMAND has ended (0) or for the signal that is returned. */
static int
wait_for(pid_t command, const sigset_t *signals, int *ret_status)
{
	while (!reap(command, ret_status)) {
		int signal = sigwaitinfo(signals, NULL);

		if (signal > 0 && signal != SIGCHLD)
			return signal;
	}
	return 0;
}

/* One that was forked while the others were looked up is found next time. */
static void
end_all(const sigset_t *signals)
{
	const struct timespec look = {.tv_nsec = 20 * 1000 * 1000};
	time_t until = now_s() + GRACE_S;
	int unused;

	signal_all(SIGTERM);
	for (;;) {
		reap(0, &unused);
		if (waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD)
			return;
		if (now_s() > until)
			signal_all(SIGKILL);
		sigtimedwait(signals, NULL, &look);
	}
}

static time_t
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Takes the status of everybody who has ended: true if COMMAND has. */
static bool
reap(pid_t command, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		*ret_status = status;
		ended = true;
	}
	return ended;
}

/* To all descendants. */
static void
signal_all(int signal)
{
	size_t n = list_processes();

	while (mark_children(n))
		;
	for (size_t i = 0; i < n; i++)
		if (processes[i].ours)
			kill(processes[i].pid, signal);
}

static size_t
list_processes(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	if (proc == NULL)
		return 0;
	while (n < PROCESSES_MAX && (entry = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0)
			continue;
		processes[n++] = (struct process){
		    .pid = pid,
		    .parent = parent_of(pid),
		};
	}
	closedir(proc);
	return n;
}

/* /proc/PID/stat: "PID (NAME) STATE PARENT", and NAME may be anything. */
static pid_t
parent_of(pid_t pid)
{
	char path[64], text[512], *name_end;
	size_t len;
	FILE *f;
	int parent;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	len = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[len] = '\0';
	name_end = strrchr(text, ')');
	if (name_end == NULL || sscanf(name_end, ") %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* A child of guard, or of one that is ours, is ours: true if one is new. */
static bool
mark_children(size_t n)
{
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		if (processes[i].ours || !parent_is_ours(i, n))
			continue;
		processes[i].ours = true;
		found = true;
	}
	return found;
}

static bool
parent_is_ours(size_t i, size_t n)
{
	if (processes[i].parent == getpid())
		return true;
	for (size_t j = 0; j < n; j++)
		if (processes[j].ours &&
		    processes[j].pid == processes[i].parent)
			return true;
	return false;
}
