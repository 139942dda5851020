/* The figures of a system, made of its Prometheus texts. */
#include "top/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics_list.h"
#include "top/prom_text.h"

/* More than any of ours; a text may say what it likes. */
#define VALUE_MAX 1e18

enum { STARTED_S = 5 /* from the start of a process to its first series */ };

/* What a sample is to us. */
enum use {
	COUNTER,   /* number: of enum figures_counter */
	ANSWERS,   /* by code */
	HISTOGRAM, /* offset: in struct figures */
	QUEUE,     /* offset: in struct figures_queue */
	FLUSH,     /* offset: in struct figures */
	PROCESS    /* offset: in struct process_gauges */
};

static const struct use_of {
	struct metric metric;
	enum use use;
	size_t at; /* number or offset */
} uses[] = {
    {{METRIC_PUBLISHED}, COUNTER, FIGURES_IN},
    {{METRIC_FLUSHED}, COUNTER, FIGURES_OUT},
    {{METRIC_REJECTED}, COUNTER, FIGURES_REJECTED},
    {{METRIC_REPLAYED_BATCHES}, COUNTER, FIGURES_REPLAYED},
    {{METRIC_QUEUE_STEPS_BACK}, COUNTER, FIGURES_STEPS_BACK},
    {{METRIC_LEDGER_STEPS_BACK}, COUNTER, FIGURES_STEPS_BACK},
    {{METRIC_KEPT_GAVE_WAY}, COUNTER, FIGURES_GAVE_WAY},
    {{METRIC_HTTP_REQUESTS}, ANSWERS, 0},
    {{METRIC_HTTP_REQUEST_DURATION}, HISTOGRAM,
	offsetof(struct figures, requests)},
    {{METRIC_FLUSH_DURATION}, HISTOGRAM, offsetof(struct figures, statements)},
    {{METRIC_QUEUE_READY}, QUEUE, offsetof(struct figures_queue, ready)},
    {{METRIC_QUEUE_UNACKED}, QUEUE, offsetof(struct figures_queue, taken)},
    {{METRIC_QUEUE_REJECTED}, QUEUE, offsetof(struct figures_queue, rejected)},
    {{METRIC_QUEUE_OLDEST}, QUEUE, offsetof(struct figures_queue, oldest)},
    {{METRIC_FLUSH_STALENESS}, FLUSH,
	offsetof(struct figures, flush.staleness)},
    {{METRIC_FLUSH_KEYS}, FLUSH, offsetof(struct figures, flush.keys)},
    {{METRIC_FLUSH_PROMISE_AT_RISK}, FLUSH,
	offsetof(struct figures, flush.at_risk)},
    {{METRIC_UPDATED}, PROCESS, offsetof(struct process_gauges, updated)},
    {{METRIC_PROCESS_START}, PROCESS, offsetof(struct process_gauges, start)},
    {{METRIC_PROCESS_CPU}, PROCESS, offsetof(struct process_gauges, cpu)},
    {{METRIC_PROCESS_MEMORY}, PROCESS, offsetof(struct process_gauges, memory)},
    {{METRIC_PROCESS_OPEN_FDS}, PROCESS,
	offsetof(struct process_gauges, files)},
    {{METRIC_PROCESS_MAX_FDS}, PROCESS,
	offsetof(struct process_gauges, files_max)},
};

/* A sample that is of use, and whose it is. */
struct found {
	struct prom_sample sample;
	const struct use_of *use;
	const char *part; /* of a histogram: behind the name */
	int source;
	struct process *process;
};

static bool find(const struct prom_sample *s, struct found *ret);
static int add_first(struct figures *f, struct found *w);
static int add_counter(struct figures *f, struct found *w);
static void count(struct figures *f, const struct found *w, double increase);
static void count_bucket(
    struct figures *f, const struct found *w, double increase);

static double *
field(void *of, size_t offset)
{
	return (double *)(void *)((char *)of + offset);
}

void
figures_begin(struct figures *f, double now_s, double unix_s)
{
	if (f->readings == 0) {
		for (size_t i = 0; i < FIGURES_COUNTERS; i++)
			timeline_begin(&f->counters[i].line, now_s);
		timeline_begin(&f->ready, now_s);
		timeline_begin(&f->oldest, now_s);
	}
	f->last_unix = f->unix_now;
	f->now = now_s;
	f->unix_now = unix_s;
	f->n_queues = f->samples = f->bad = 0;
	f->flush = (struct figures_flush){NAN, NAN, NAN};
	for (size_t i = 0; i < FIGURES_COUNTERS; i++)
		f->counters[i].total = 0;
	for (size_t i = 0; i < f->n_codes; i++)
		f->codes[i].answers.total = 0;
	processes_begin(&f->processes);
}

/* Twice: whether a counter is new is seen by the start of its process, which
 * may stand behind it. */
int
figures_add(struct figures *f, int source, const char *text, size_t len)
{
	static int (*const passes[])(struct figures *, struct found *) = {
	    add_first, add_counter};
	struct prom_text t = {0};
	struct found w = {.source = source};

	for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
		prom_text_open(&t, text, len);
		while (prom_text_next(&t, &w.sample))
			if (find(&w.sample, &w) && passes[i](f, &w) < 0)
				return -1;
	}
	f->bad += t.bad;
	return 0;
}

/* The use of a sample: its name is the metric's, of a histogram with _bucket,
 * _sum or _count behind it. */
static bool
find(const struct prom_sample *s, struct found *ret)
{
	static const char *const parts[] = {"_bucket", "_sum", "_count"};

	if (!(s->value >= 0 && s->value <= VALUE_MAX))
		return false;
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		const char *name = uses[i].metric.name;
		size_t len = strlen(name);

		if (s->name_len < len || memcmp(s->name, name, len) != 0)
			continue;
		ret->use = &uses[i];
		if (uses[i].use != HISTOGRAM && s->name_len == len)
			return true;
		for (size_t k = 0; k < 3 && uses[i].use == HISTOGRAM; k++)
			if (s->name_len - len == strlen(parts[k]) &&
			    memcmp(s->name + len, parts[k],
				s->name_len - len) == 0) {
				ret->part = parts[k];
				return true;
			}
	}
	return false;
}

static struct process *
process_of(struct figures *f, const struct found *w)
{
	const struct prom_sample *s = &w->sample;
	struct process_name n = {.source = w->source};

	if (!prom_text_label(s, "program", n.program, sizeof n.program))
		return NULL;
	(void)prom_text_label(s, "host", n.host, sizeof n.host);
	(void)prom_text_label(s, "pidns", n.pidns, sizeof n.pidns);
	(void)prom_text_label(s, "pid", n.pid, sizeof n.pid);
	return processes_find(&f->processes, &n);
}

static struct figures_queue *
queue_of(struct figures *f, const struct prom_sample *s)
{
	struct figures_queue q = {
	    .ready = NAN, .taken = NAN, .rejected = NAN, .oldest = NAN};
	size_t at = 0, i;

	(void)prom_text_label(s, "queue", q.name, sizeof q.name);
	while (at < f->n_queues && strcmp(f->queues[at].name, q.name) < 0)
		at++;
	if (at < f->n_queues && strcmp(f->queues[at].name, q.name) == 0)
		return &f->queues[at];
	if (f->n_queues == FIGURES_QUEUES)
		return NULL;
	for (i = f->n_queues++; i > at; i--)
		f->queues[i] = f->queues[i - 1];
	f->queues[at] = q;
	return &f->queues[at];
}

/* fmax() takes the other one if one is NaN. */
static void
keep_highest(double *at, double value)
{
	*at = fmax(*at, value);
}

/* Gauges, and who is there. */
static int
add_first(struct figures *f, struct found *w)
{
	struct process *p = process_of(f, w);
	struct figures_queue *q;
	double value = w->sample.value;

	f->samples++;
	switch (w->use->use) {
	case QUEUE:
		q = queue_of(f, &w->sample);
		if (q != NULL)
			keep_highest(field(q, w->use->at), value);
		break;
	case FLUSH: keep_highest(field(f, w->use->at), value); break;
	case PROCESS:
		if (p == NULL)
			return 0;
		*field(&p->now, w->use->at) = value;
		p->runs |= w->use->metric.kind == METRICS_GAUGE;
		break;
	case COUNTER:
	case ANSWERS:
	case HISTOGRAM: break;
	}
	return 0;
}

/* Since the last reading, and a while before it; by the clock of its own host,
 * if it says what time it is there. */
static bool
has_begun(const struct figures *f, const struct process *p)
{
	double now = isnan(p->now.updated) ? f->unix_now : p->now.updated;

	return now - p->now.start <= f->unix_now - f->last_unix + STARTED_S;
}

static int
add_counter(struct figures *f, struct found *w)
{
	const struct prom_sample *s = &w->sample;
	double increase;
	bool fresh;

	if (w->use->use != COUNTER && w->use->use != ANSWERS &&
	    w->use->use != HISTOGRAM)
		return 0;
	w->process = process_of(f, w);
	/* Of a process that was there without it, or that began since. */
	fresh = f->readings > 0 && w->process != NULL &&
		(w->process->known || has_begun(f, w->process));
	if (counters_increase(&f->series,
		&(struct counter_name){
		    s->name, s->name_len, s->labels, s->labels_len, w->source},
		s->value, fresh, &increase) < 0)
		return -1;
	count(f, w, increase);
	return 0;
}

/* In order of codes. */
static struct figures_total *
code_of(struct figures *f, const struct prom_sample *s)
{
	struct figures_code c = {0};
	size_t at = 0, i;

	(void)prom_text_label(s, "code", c.code, sizeof c.code);
	while (at < f->n_codes && strcmp(f->codes[at].code, c.code) < 0)
		at++;
	if (at < f->n_codes && strcmp(f->codes[at].code, c.code) == 0)
		return &f->codes[at].answers;
	if (f->n_codes == FIGURES_CODES)
		return NULL;
	for (i = f->n_codes++; i > at; i--)
		f->codes[i] = f->codes[i - 1];
	f->codes[at] = c;
	timeline_begin(
	    &f->codes[at].answers.line, f->readings == 0 ? f->now : f->now - 1);
	return &f->codes[at].answers;
}

static void
count(struct figures *f, const struct found *w, double increase)
{
	struct figures_total *t = NULL;

	switch (w->use->use) {
	case COUNTER: t = &f->counters[w->use->at]; break;
	case ANSWERS: t = code_of(f, &w->sample); break;
	case HISTOGRAM: count_bucket(f, w, increase); return;
	case QUEUE:
	case FLUSH:
	case PROCESS: return;
	}
	if (t == NULL)
		return;
	t->total += w->sample.value;
	t->grown += increase;
}

static void
count_bucket(struct figures *f, const struct found *w, double increase)
{
	struct histogram *h =
	    (struct histogram *)(void *)((char *)f + w->use->at);
	char le[32];
	double bound;

	if (strcmp(w->part, "_sum") == 0)
		histogram_sum(h, f->now, increase);
	else if (strcmp(w->part, "_count") == 0)
		histogram_count(h, f->now, increase);
	else if (prom_text_label(&w->sample, "le", le, sizeof le) &&
		 prom_text_number(le, strlen(le), &bound) == 0)
		histogram_bucket(h, f->now, bound, increase);
}

static void
settle(struct figures_total *t, double now)
{
	timeline_grow(&t->line, now, t->grown);
	t->grown = 0;
}

void
figures_end(struct figures *f)
{
	double ready = figures_ready(f), oldest = figures_oldest(f);

	for (size_t i = 0; i < FIGURES_COUNTERS; i++)
		settle(&f->counters[i], f->now);
	for (size_t i = 0; i < f->n_codes; i++)
		settle(&f->codes[i].answers, f->now);
	if (!isnan(ready))
		timeline_reach(&f->ready, f->now, ready);
	if (!isnan(oldest))
		timeline_reach(&f->oldest, f->now, oldest);
	processes_end(&f->processes, f->now);
	counters_end(&f->series);
	f->readings++;
}

double
figures_rate(const struct figures *f, const struct figures_total *t)
{
	return f->readings < 2 ? NAN : timeline_rate(&t->line, f->now);
}

double
figures_ready(const struct figures *f)
{
	double all = NAN;

	for (size_t i = 0; i < f->n_queues; i++)
		if (!isnan(f->queues[i].ready))
			all = (isnan(all) ? 0 : all) + f->queues[i].ready;
	return all;
}

double
figures_oldest(const struct figures *f)
{
	double all = NAN;

	for (size_t i = 0; i < f->n_queues; i++)
		keep_highest(&all, f->queues[i].oldest);
	return all;
}

void
figures_free(struct figures *f)
{
	counters_free(&f->series);
}
