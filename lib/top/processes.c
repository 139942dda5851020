/* Which processes run, what they take, and how often one has come again. */
#include "top/processes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOAD_S = 5, SAME_START_S = 2, LASTING_S = 30 };

static const struct process_gauges unknown = {NAN, NAN, NAN, NAN, NAN, NAN};

void
processes_begin(struct processes *p)
{
	for (size_t i = 0; i < p->n; i++) {
		p->all[i].known = true;
		p->all[i].seen = p->all[i].runs = false;
		p->all[i].now = unknown;
	}
}

/* FNV-1a; two names of one hash are still told apart. */
static uint64_t
hash_of_name(const struct process_name *name)
{
	const char *const parts[] = {
	    name->program, name->host, name->pidns, name->pid};
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)name->source;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		for (const char *c = parts[i]; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) *
			       UINT64_C(0x100000001b3);
	return hash;
}

struct process *
processes_find(struct processes *p, const struct process_name *name)
{
	uint64_t hash = hash_of_name(name);
	struct process *at;

	for (size_t i = 0; i < p->n; i++) {
		const struct process_name *n = &p->all[i].name;

		if (p->all[i].hash == hash && n->source == name->source &&
		    strcmp(n->pid, name->pid) == 0 &&
		    strcmp(n->program, name->program) == 0 &&
		    strcmp(n->host, name->host) == 0 &&
		    strcmp(n->pidns, name->pidns) == 0) {
			p->all[i].seen = true;
			return &p->all[i];
		}
	}
	if (p->n == PROCESSES_MAX)
		return NULL;
	at = &p->all[p->n++];
	*at = (struct process){.name = *name,
	    .hash = hash,
	    .began = NAN,
	    .first = NAN,
	    .now = unknown,
	    .seen = true,
	    .load = NAN,
	    .base = {{NAN, NAN}, {NAN, NAN}}};
	return at;
}

/* By the time at which the process wrote, if it says so. */
static void
measure(struct process *p, double now)
{
	double at = isnan(p->now.updated) ? now : p->now.updated;
	double cpu = p->now.cpu;

	if (!p->runs || isnan(cpu)) {
		p->load = NAN;
		return;
	}
	/* At first, or another process with its pid, or a clock that stepped.
	 */
	if (isnan(p->base[0].at) || cpu < p->base[1].cpu ||
	    at < p->base[1].at || at > p->base[0].at + 60) {
		p->base[0].at = p->base[1].at = at;
		p->base[0].cpu = p->base[1].cpu = cpu;
		p->load = NAN;
		return;
	}
	if (at > p->base[0].at)
		p->load = (cpu - p->base[0].cpu) / (at - p->base[0].at);
	if (at >= p->base[1].at + LOAD_S) {
		p->base[0] = p->base[1];
		p->base[1].at = at;
		p->base[1].cpu = cpu;
	}
}

static struct process_group *
group_of(struct processes *p, const struct process_name *name)
{
	struct process_group *g;

	for (size_t i = 0; i < p->n_groups; i++)
		if (strcmp(p->groups[i].program, name->program) == 0 &&
		    strcmp(p->groups[i].host, name->host) == 0)
			return &p->groups[i];
	if (p->n_groups == PROCESSES_GROUPS)
		return NULL;
	g = &p->groups[p->n_groups++];
	*g = (struct process_group){0};
	memcpy(g->program, name->program, sizeof g->program);
	memcpy(g->host, name->host, sizeof g->host);
	return g;
}

/* Those that were not seen leave the table, and are counted as gone. */
static void
forget(struct processes *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct process_group *g = group_of(p, &p->all[i].name);

		if (p->all[i].seen)
			p->all[kept++] = p->all[i];
		else if (g != NULL)
			g->gone++;
	}
	p->n = kept;
}

/* Of its start its own clock tells. */
static bool
lasts(const struct process *p, double now)
{
	return p->runs && (p->now.updated - p->now.start >= LASTING_S ||
			      now - p->first >= LASTING_S);
}

/* In containers each process may have the same pid, one after the other. */
static void
notice_starts(struct processes *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct process *at = &p->all[i];
		struct process_group *g = group_of(p, &at->name);

		if (isnan(at->now.start))
			continue;
		if (fabs(at->now.start - at->began) > SAME_START_S && g != NULL)
			g->gone++;
		at->began = at->now.start;
	}
}

/* As far as one can tell: as many run as ever, so each that has ended was
 * followed by another. */
static void
count_groups(struct processes *p, double now)
{
	uint64_t ended[PROCESSES_GROUPS] = {0};
	size_t lasting[PROCESSES_GROUPS] = {0};

	for (size_t i = 0; i < p->n_groups; i++)
		p->groups[i].runs = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct process_group *g = group_of(p, &p->all[i].name);

		if (g == NULL)
			continue;
		g->runs += p->all[i].runs;
		ended[g - p->groups] += !p->all[i].runs;
		lasting[g - p->groups] += lasts(&p->all[i], now);
	}
	for (size_t i = 0; i < p->n_groups; i++) {
		struct process_group *g = &p->groups[i];
		uint64_t all = g->gone + ended[i], missing;

		if (lasting[i] > g->most)
			g->most = lasting[i];
		missing = g->most > g->runs ? g->most - g->runs : 0;
		g->restarts = all > missing ? all - missing : 0;
	}
}

/* Of a program's processes as they stand in a pipe; others behind. */
static int
rank(const char *program)
{
	static const char *const order[] = {"incr-serve", "incr-validate",
	    "incr-publish", "incr-consume", "incr-flush"};
	int i = 0;

	while (i < 5 && strcmp(order[i], program) != 0)
		i++;
	return i;
}

static int
compare(const void *a, const void *b)
{
	const struct process_name *x = &((const struct process *)a)->name;
	const struct process_name *y = &((const struct process *)b)->name;
	int by = rank(x->program) - rank(y->program);

	if (by == 0)
		by = strcmp(x->program, y->program);
	if (by == 0)
		by = strcmp(x->host, y->host);
	if (by == 0)
		by = (int)strlen(x->pid) - (int)strlen(y->pid);
	return by == 0 ? strcmp(x->pid, y->pid) : by;
}

static int
compare_groups(const void *a, const void *b)
{
	const struct process_group *x = a, *y = b;
	int by = rank(x->program) - rank(y->program);

	if (by == 0)
		by = strcmp(x->program, y->program);
	return by == 0 ? strcmp(x->host, y->host) : by;
}

void
processes_end(struct processes *p, double now)
{
	forget(p);
	notice_starts(p);
	for (size_t i = 0; i < p->n; i++) {
		if (isnan(p->all[i].first))
			p->all[i].first = now;
		measure(&p->all[i], now);
	}
	qsort(p->all, p->n, sizeof *p->all, compare);
	count_groups(p, now);
	qsort(p->groups, p->n_groups, sizeof *p->groups, compare_groups);
}

size_t
processes_running(const struct processes *p, const char *program)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->all[i].runs &&
		     (program == NULL ||
			 strcmp(p->all[i].name.program, program) == 0);
	return n;
}
