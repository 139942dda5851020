/*
 * Which processes run, how much they take, how often one has come again.
 */
#include <math.h>

#include "check.h"
#include "top/processes.h"

static struct processes p;

/* One that runs, at a time of its clock, or one that has ended (at 0). */
static struct process *
see(const char *program, const char *pid, double at, double cpu)
{
	struct process_name n = {.host = "h", .pidns = "1"};
	struct process *found;

	snprintf(n.program, sizeof n.program, "%s", program);
	snprintf(n.pid, sizeof n.pid, "%s", pid);
	found = processes_find(&p, &n);
	found->runs = at > 0;
	if (at > 0) {
		found->now.updated = at;
		found->now.start = at - 40;
		found->now.cpu = cpu;
	}
	return found;
}

static const struct process_group *
group(const char *program)
{
	for (size_t i = 0; i < p.n_groups; i++)
		if (strcmp(p.groups[i].program, program) == 0)
			return &p.groups[i];
	return NULL;
}

static void
test_load(void)
{
	for (int i = 0; i < 20; i++) {
		processes_begin(&p);
		(void)see("incr-flush", "7", 1000 + i, 5 + i * 0.25);
		processes_end(&p, i);
		check(i == 0 ? isnan(p.all[0].load)
			     : fabs(p.all[0].load - 0.25) < 1e-9,
		    "%d: %g", i, p.all[0].load);
	}
	/* Another process with that pid, and a clock that went back. */
	processes_begin(&p);
	(void)see("incr-flush", "7", 1020, 0.5);
	processes_end(&p, 20);
	check(isnan(p.all[0].load), "no load below 0: %g", p.all[0].load);
	processes_begin(&p);
	(void)see("incr-flush", "7", 500, 0.6);
	processes_end(&p, 21);
	check(isnan(p.all[0].load), "nor from the future: %g", p.all[0].load);
}

static void
reading(const char *const *running, const char *const *ended)
{
	processes_begin(&p);
	for (; *running != NULL; running++)
		(void)see("incr-serve", *running, 1000, 1);
	for (; *ended != NULL; ended++)
		(void)see("incr-serve", *ended, 0, 0);
	processes_end(&p, 1);
}

static void
test_moment(void)
{
	/* What runs for a moment is not missed. */
	p = (struct processes){0};
	processes_begin(&p);
	see("incr-publish", "5", 1000, 1)->now.start = 999;
	processes_end(&p, 1);
	check(group("incr-publish")->runs == 1, "it runs");
	processes_begin(&p);
	processes_end(&p, 2);
	check(group("incr-publish")->most == 0, "and is not missed");
}

static void
test_restarts(void)
{
	static const char *const none[] = {NULL}, *const one[] = {"10", NULL},
				 *const two[] = {"9", "10", NULL},
				 *const next[] = {"10", "11", NULL},
				 *const nine[] = {"9", NULL};
	const struct process_group *g;

	p = (struct processes){0};
	reading(two, none);
	g = group("incr-serve");
	check(g->runs == 2 && g->restarts == 0, "two");
	check(strcmp(p.all[0].name.pid, "9") == 0, "in order of numbers");
	reading(one, nine);
	check(g->runs == 1 && g->most == 2 && g->restarts == 0,
	    "one has ended, and nobody came");
	reading(next, nine);
	check(g->runs == 2 && g->restarts == 1, "another came: %zu",
	    (size_t)g->restarts);
	reading(next, none);
	check(g->restarts == 1 && p.n == 2, "its file is gone");
	reading(two, none);
	check(g->restarts == 2, "again: %zu", (size_t)g->restarts);
	check(processes_running(&p, NULL) == 2 &&
		  processes_running(&p, "incr-flush") == 0,
	    "running");
}

/* In containers each is process 1. */
static void
test_same_pid(void)
{
	p = (struct processes){0};
	for (int start = 0; start < 3; start++) {
		processes_begin(&p);
		see("incr-serve", "1", 1000, 1)->now.start = 100 + 50 * start;
		processes_end(&p, 1);
		processes_begin(&p);
		see("incr-serve", "1", 1001, 1)->now.start = 100.5 + 50 * start;
		processes_end(&p, 2);
	}
	check(group("incr-serve")->restarts == 2, "%zu",
	    (size_t)group("incr-serve")->restarts);
}

static void
test_many(void)
{
	struct process_name n = {0};

	p = (struct processes){0};
	for (int i = 0; i < PROCESSES_MAX + 5; i++) {
		snprintf(n.pid, sizeof n.pid, "%d", i);
		snprintf(n.host, sizeof n.host, "host-%d", i);
		check((processes_find(&p, &n) == NULL) == (i >= PROCESSES_MAX),
		    "%d", i);
	}
	processes_end(&p, 0);
	check(p.n_groups == PROCESSES_GROUPS, "bounded");
	processes_begin(&p);
	processes_end(&p, 1);
	check(p.n == 0, "all gone");
}

int
main(void)
{
	test_load();
	test_moment();
	test_restarts();
	test_same_pid();
	test_many();
	return check_end();
}
