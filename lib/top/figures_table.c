/* Writes the figures as a table for scripts. */
#include "top/figures_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { OF_MAX = 256 };

/* Text of others has neither TAB nor newline here. */
static int
put(struct buf *out, const char *figure, const char *of, double value)
{
	char clean[OF_MAX];
	size_t n = 0;

	for (; *of != '\0' && n + 1 < sizeof clean; of++)
		clean[n++] = *of > ' ' && *of <= '~' ? *of : '?';
	clean[n] = '\0';
	if (isnan(value))
		return buf_addf(out, "%s\t%s\t-\n", figure, clean);
	return buf_addf(out, "%s\t%s\t%.10g\n", figure, clean, value);
}

static int
put_total(struct buf *out, const struct figures *f, const char *figure,
    const char *of, const struct figures_total *t)
{
	char name[64];

	snprintf(name, sizeof name, "%s_total", figure);
	if (put(out, name, of, t->total) < 0)
		return -1;
	snprintf(name, sizeof name, "%s_per_second", figure);
	return put(out, name, of, figures_rate(f, t));
}

static int
put_histogram(struct buf *out, const struct figures *f, const char *figure,
    const struct histogram *h)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = {{"p50", 0.5}, {"p99", 0.99}};
	double mean = NAN;

	(void)histogram_mean(h, f->now, &mean);
	if (put(out, figure, "mean", mean) < 0)
		return -1;
	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
		double s = NAN;
		bool more;

		(void)histogram_quantile(h, f->now, quantiles[i].q, &s, &more);
		if (put(out, figure, quantiles[i].name, s) < 0)
			return -1;
	}
	return 0;
}

static int
put_traffic(struct buf *out, const struct figures *f)
{
	static const char *const names[FIGURES_COUNTERS] = {[FIGURES_IN] = "in",
	    [FIGURES_OUT] = "out",
	    [FIGURES_REJECTED] = "rejected",
	    [FIGURES_REPLAYED] = "replayed",
	    [FIGURES_STEPS_BACK] = "steps_back",
	    [FIGURES_GAVE_WAY] = "gave_way"};

	for (size_t i = 0; i < FIGURES_COUNTERS; i++)
		if (put_total(out, f, names[i], "all", &f->counters[i]) < 0)
			return -1;
	for (size_t i = 0; i < f->n_codes; i++)
		if (put_total(out, f, "answers", f->codes[i].code,
			&f->codes[i].answers) < 0)
			return -1;
	return put_histogram(out, f, "request_seconds", &f->requests);
}

static int
put_queue(struct buf *out, const struct figures_queue *q)
{
	const char *of = *q->name == '\0' ? "-" : q->name;

	if (put(out, "queue_ready", of, q->ready) < 0 ||
	    put(out, "queue_taken", of, q->taken) < 0 ||
	    put(out, "queue_dead", of, q->rejected) < 0 ||
	    put(out, "queue_out_total", of, q->total) < 0 ||
	    put(out, "queue_out_per_second", of, q->rate) < 0)
		return -1;
	return put(out, "queue_oldest_seconds", of, q->oldest);
}

/* All of a queue together. */
static int
put_shards(struct buf *out, const struct figures_queue *all, unsigned shards)
{
	if (put(out, "shards", all->name, shards) < 0 ||
	    put(out, "shards_ready", all->name, all->ready) < 0 ||
	    put(out, "shards_taken", all->name, all->taken) < 0 ||
	    put(out, "shards_dead", all->name, all->rejected) < 0 ||
	    put(out, "shards_out_total", all->name, all->total) < 0 ||
	    put(out, "shards_out_per_second", all->name, all->rate) < 0)
		return -1;
	return put(out, "shards_oldest_seconds", all->name, all->oldest);
}

/* Each, and what those with shards have in all. */
static int
put_queues(struct buf *out, const struct figures *f)
{
	struct figures_queue all;
	unsigned shards;

	for (size_t i = 0; i < f->n_queues; i++)
		if (put_queue(out, &f->queues[i]) < 0)
			return -1;
	for (size_t i = 0; i < f->n_queues;) {
		i += figures_shards(f, i, &shards, &all);
		if (shards > 1 && put_shards(out, &all, shards) < 0)
			return -1;
	}
	return 0;
}

static int
put_process(struct buf *out, const struct process *p)
{
	char of[OF_MAX];

	if (!p->runs)
		return 0;
	snprintf(of, sizeof of, "%s@%s/%s", p->name.program, p->name.host,
	    p->name.pid);
	if (put(out, "cpu", of, p->load) < 0 ||
	    put(out, "memory_bytes", of, p->now.memory) < 0 ||
	    put(out, "files", of, p->now.files) < 0 ||
	    put(out, "files_max", of, p->now.files_max) < 0)
		return -1;
	return put(out, "started", of, p->now.start);
}

static int
put_group(struct buf *out, const struct process_group *g)
{
	char of[OF_MAX];

	if (g->runs == 0 && g->most == 0)
		return 0;
	snprintf(of, sizeof of, "%s@%s", g->program, g->host);
	if (put(out, "processes", of, (double)g->runs) < 0)
		return -1;
	return put(out, "restarts", of, (double)g->restarts);
}

int
figures_table(const struct figures *f, struct buf *out)
{
	if (put_traffic(out, f) < 0 || put_queues(out, f) < 0)
		return -1;
	if (put(out, "staleness_seconds", "all", f->flush.staleness) < 0 ||
	    put_histogram(out, f, "statement_seconds", &f->statements) < 0 ||
	    put(out, "statement_keys", "all", f->flush.keys) < 0 ||
	    put(out, "at_risk", "all", f->flush.at_risk) < 0 ||
	    put(out, "processes", "all",
		(double)processes_running(&f->processes, NULL)) < 0)
		return -1;
	for (size_t i = 0; i < f->processes.n_groups; i++)
		if (put_group(out, &f->processes.groups[i]) < 0)
			return -1;
	for (size_t i = 0; i < f->processes.n; i++)
		if (put_process(out, &f->processes.all[i]) < 0)
			return -1;
	return 0;
}
