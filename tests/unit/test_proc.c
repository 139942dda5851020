/* /proc/PID/stat: the state and start of a process, whatever its name. */
#include "base/proc.h"
#include "check.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define REST " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0"

static void
texts(void)
{
	static const struct {
		const char *stat;
		char state; /* 0: no good */
		uint64_t start;
	} cases[] = {
	    {"7 (sh) S" REST " 4711 1 2\n", 'S', 4711},
	    {"7 (a b) c) R 1 (x) Z" REST " 12 1\n", 'Z', 12},
	    {"7 (sh) S" REST " 4711", 'S', 4711},
	    {"7 (sh) S" REST " 18446744073709551615 1", 'S', UINT64_MAX},
	    {"7 (sh) S" REST " 18446744073709551616 1", 0, 0},
	    {"7 (sh) S" REST " 0 1", 0, 0},
	    {"7 (sh) S" REST " -3 1", 0, 0},
	    {"7 (sh) S" REST, 0, 0},
	    {"7 (sh) S", 0, 0},
	    {"7 (sh", 0, 0},
	    {"", 0, 0},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		struct proc p = {.state = 0, .start_ticks = 0};
		int result = proc_parse(cases[i].stat, &p);

		check((result == 0) == (cases[i].state != 0), "%zu", i);
		check(p.state == cases[i].state, "%zu: %c", i, p.state);
		check(p.start_ticks == cases[i].start, "%zu", i);
	}
}

static void
processes(void)
{
	struct proc self = {0}, child = {0};
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	check(pid > 0, "fork");
	check(proc_read(getpid(), &self) == 0 && self.state == 'R', "self");
	check(proc_age_s(getpid()) >= 0 && proc_age_s(getpid()) < 60, "age");
	/* Ended and not waited for. */
	check(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT) == 0,
	    "waitid");
	check(proc_read(pid, &child) == 0 && child.state == 'Z', "zombie");
	check(child.start_ticks >= self.start_ticks, "start");
	waitpid(pid, NULL, 0);
	check(proc_read(pid, &child) < 0, "gone");
	check(proc_age_s(pid) == -1, "age of none");
}

static void
files(void)
{
	char text[8] = "";

	check(proc_read_file("/proc/self/comm", text, sizeof text) == 0, "%s",
	    text);
	check(strncmp(text, "test_pr", 7) == 0 && text[7] == '\0', "%s", text);
	check(proc_read_file("/proc/self/none", text, sizeof text) < 0 &&
		  errno == ENOENT,
	    "none");
	check(proc_read_file("/dev/null", text, sizeof text) < 0 &&
		  errno == EINVAL,
	    "empty");
}

int
main(void)
{
	texts();
	processes();
	files();
	return check_end();
}
