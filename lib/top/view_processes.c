/* Draws the processes of a system, one by one or by program and host. */
#include "top/view_processes.h"

#include <math.h>
#include <string.h>

#include "top/human.h"

/* What a row shows: of one process, or of all of a group. */
struct row {
	const char *program, *host, *pid;
	double load, memory, files, files_max, started;
	const struct process_group *group; /* NULL: not the first of its own */
};

static bool
is_in(const struct process *p, const struct process_group *g)
{
	return strcmp(p->name.program, g->program) == 0 &&
	       strcmp(p->name.host, g->host) == 0;
}

static int
missing(const struct process_group *g)
{
	return g->most > g->runs ? (int)(g->most - g->runs) : 0;
}

static bool
is_shown(const struct process_group *g)
{
	return g->runs > 0 || g->most > 0;
}

/* One row each, and one for those of a group that are missing. */
static int
count_single(const struct processes *p)
{
	int n = (int)processes_running(p, NULL);

	for (size_t i = 0; i < p->n_groups; i++)
		n += missing(&p->groups[i]) > 0;
	return n;
}

static int
count_groups(const struct processes *p)
{
	int n = 0;

	for (size_t i = 0; i < p->n_groups; i++)
		n += is_shown(&p->groups[i]);
	return n;
}

int
view_processes_rows(const struct processes *p, int room)
{
	int n = count_single(p);

	if (n > room)
		n = count_groups(p);
	return n > room ? room < 0 ? 0 : room : n;
}

static void
put(struct frame *f, const struct row *r, double unix_now)
{
	bool full = r->files > 0.8 * r->files_max;
	uint64_t restarts = r->group == NULL ? 0 : r->group->restarts;

	frame_put(f, FRAME_PLAIN, "%-13.13s %-13.13s %8.8s %7s %7s", r->program,
	    r->host, r->pid, human_share(r->load).text,
	    human_bytes(r->memory).text);
	frame_put(f, full ? FRAME_BAD : FRAME_PLAIN, " %8s%s",
	    human_count(r->files).text, full ? "!" : " ");
	frame_put(
	    f, FRAME_PLAIN, " %7s", human_age(unix_now - r->started).text);
	if (r->group != NULL)
		frame_put(f, restarts > 0 ? FRAME_WARN : FRAME_PLAIN, " %8s",
		    human_count((double)restarts).text);
	frame_end_row(f);
}

static void
put_missing(struct frame *f, const struct process_group *g)
{
	frame_put(f, FRAME_BAD, "%-13.13s %-13.13s %8s  %d of %zu gone",
	    g->program, g->host, "-", missing(g), g->most);
	frame_end_row(f);
}

static void
add(double *sum, double more)
{
	if (!isnan(more))
		*sum = (isnan(*sum) ? 0 : *sum) + more;
}

/* The highest share of files, the latest start, and sums. */
static void
put_group(struct frame *f, const struct processes *p,
    const struct process_group *g, double unix_now)
{
	struct row r = {.program = g->program,
	    .host = g->host,
	    .load = NAN,
	    .memory = NAN,
	    .files = NAN,
	    .files_max = NAN,
	    .started = NAN,
	    .group = g};
	struct human n = human_behind('x', human_count((double)g->runs));

	r.pid = n.text;
	for (size_t i = 0; i < p->n; i++) {
		const struct process *at = &p->all[i];

		if (!at->runs || !is_in(at, g))
			continue;
		add(&r.load, at->load);
		add(&r.memory, at->now.memory);
		r.started = fmax(r.started, at->now.start);
		if (!(r.files > at->now.files)) {
			r.files = at->now.files;
			r.files_max = at->now.files_max;
		}
	}
	put(f, &r, unix_now);
}

/* The group's number of restarts stands in its first row. */
static void
put_single(
    struct frame *f, const struct processes *p, int rows, double unix_now)
{
	for (size_t g = 0; g < p->n_groups; g++) {
		const struct process_group *group = &p->groups[g];
		bool first = true;

		for (size_t i = 0; i < p->n && rows > 0; i++) {
			const struct process *at = &p->all[i];
			struct row r = {at->name.program, at->name.host,
			    at->name.pid, at->load, at->now.memory,
			    at->now.files, at->now.files_max, at->now.start,
			    first ? group : NULL};

			if (!at->runs || !is_in(at, group))
				continue;
			put(f, &r, unix_now);
			first = false;
			rows--;
		}
		if (missing(group) > 0 && rows-- > 0)
			put_missing(f, group);
	}
}

static void
put_groups(
    struct frame *f, const struct processes *p, int rows, double unix_now)
{
	int more = count_groups(p) - rows;

	for (size_t g = 0; g < p->n_groups && rows > 0; g++) {
		if (!is_shown(&p->groups[g]))
			continue;
		if (more > 0 && rows == 1) {
			frame_put(f, FRAME_PLAIN, "and %d more", more + 1);
			frame_end_row(f);
		} else {
			put_group(f, p, &p->groups[g], unix_now);
		}
		rows--;
	}
}

void
view_processes_draw(
    struct frame *f, const struct processes *p, int rows, double unix_now)
{
	frame_put(f, FRAME_STRONG, "%-13s %-13s %8s %7s %7s %8s  %7s %8s",
	    "program", "host", "pid", "cpu", "memory", "files", "age",
	    "restarts");
	frame_end_row(f);
	if (count_single(p) <= rows)
		put_single(f, p, rows, unix_now);
	else
		put_groups(f, p, rows, unix_now);
}
