/* Whether another process turns: what /proc says of it, and for how long. */
#include "base/pulse.h"
#include "check.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

#define PLAIN \
	"Name:\tx\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:" \
	"\t35\n"

static void
texts(void)
{
	static const struct {
		const char *status;
		int64_t turns; /* -1: none */
	} cases[] = {
	    {PLAIN, 42},
	    {"Name:\tvoluntary_ctxt_switches:\t9\n" PLAIN, 42},
	    {"Name:\tx\nvoluntary_ctxt_switches:\t7\n", -1},
	    {"Name:\tx\nnonvoluntary_ctxt_switches:\t7\n", -1},
	    {"Name:\tx\nvoluntary_ctxt_switches:\nnonvoluntary_ctxt_switches:",
		-1},
	    {"", -1},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		uint64_t turns;
		int result = pulse_parse(cases[i].status, &turns);

		check((result == 0) == (cases[i].turns >= 0), "%zu", i);
		check(cases[i].turns < 0 || turns == (uint64_t)cases[i].turns,
		    "%zu: %ju", i, (uintmax_t)turns);
	}
}

static pid_t
start(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (;;)
		usleep(1000);
}

static void
wait_stopped(pid_t pid)
{
	int status;

	waitpid(pid, &status, WUNTRACED);
}

/* By a clock of the test's own; the process runs for a moment between two
 * looks. */
static void
processes(void)
{
	struct pulse p, none = {0}, gone;
	pid_t pid = start();
	int64_t now_ms = 1000;

	pulse_open(&p, pid);
	for (int i = 0; i < 20; i++, now_ms += PULSE_LOOK_MS) {
		check(!pulse_stands(&p, now_ms), "turns: %d", i);
		io_poll(NULL, 0, clock_ms() + 20);
	}
	kill(pid, SIGSTOP);
	wait_stopped(pid);
	check(!pulse_stands(&p, now_ms), "stopped a moment ago");
	check(!pulse_stands(&p, now_ms + PULSE_MS - 1), "not long enough");
	check(pulse_stands(&p, now_ms + PULSE_MS), "stopped");
	check(pulse_stands(&p, now_ms + 2 * PULSE_MS), "stopped for long");
	kill(pid, SIGCONT);
	io_poll(NULL, 0, clock_ms() + 50);
	check(!pulse_stands(&p, now_ms + 3 * PULSE_MS), "goes on");
	gone = p;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(!pulse_stands(&none, 1) && !pulse_stands(&none, 1 << 30), "none");
	for (now_ms = 1; now_ms < 4 * PULSE_MS; now_ms += PULSE_LOOK_MS)
		check(!pulse_stands(&gone, now_ms), "gone");
}

int
main(void)
{
	texts();
	processes();
	return check_end();
}
