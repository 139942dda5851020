/* The figures of a system, made of its Prometheus texts. */
#include "top/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics_list.h"
#include "queue/shards.h"
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
static int count(struct figures *f, const struct found *w, double increase);
static void count_bucket(
    struct figures *f, const struct found *w, double increase);

static double *
field(void *of, size_t offset)
{
	return (double *)(void *)((char *)of + offset);
}

static void
forget(struct figures_queue *q)
{
	q->ready = q->taken = q->rejected = q->oldest = NAN;
	q->total = q->rate = NAN;
	q->told = false;
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
	f->samples = f->bad = 0;
	for (size_t i = 0; i < f->n_queues; i++)
		forget(&f->queues[i]);
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

/* The queue itself, then its shards by number. */
static int
compare(const char *a, const char *b)
{
	char queue_a[QUEUE_NAME_MAX + 1], queue_b[QUEUE_NAME_MAX + 1];
	unsigned i, k;
	bool shard_a = shard_parse(a, queue_a, &i);
	bool shard_b = shard_parse(b, queue_b, &k);
	int order = strcmp(shard_a ? queue_a : a, shard_b ? queue_b : b);

	if (order != 0)
		return order;
	if (!shard_a || !shard_b)
		return (int)shard_a - (int)shard_b;
	return (i > k) - (i < k);
}

/* Its place, whether or not it is there. */
static size_t
place_of(const struct figures *f, const char *name)
{
	size_t from = 0, to = f->n_queues;

	while (from < to) {
		size_t middle = (from + to) / 2;

		if (compare(f->queues[middle].name, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static struct figures_queue *
queue_of(struct figures *f, const struct prom_sample *s)
{
	struct figures_queue q = {0};
	size_t at;

	forget(&q);
	(void)prom_text_label(s, "queue", q.name, sizeof q.name);
	at = place_of(f, q.name);
	if (at == f->n_queues || strcmp(f->queues[at].name, q.name) != 0) {
		if (f->n_queues == FIGURES_QUEUES)
			return NULL;
		memmove(&f->queues[at + 1], &f->queues[at],
		    (f->n_queues++ - at) * sizeof *f->queues);
		f->queues[at] = q;
	}
	f->queues[at].told = true;
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
	return count(f, w, increase);
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

/* What incr-flush has counted of one queue, if it says of which. */
static int
count_queue(struct figures *f, const struct found *w, double increase)
{
	char name[FIGURES_NAME_MAX];
	struct figures_queue *q;

	if (w->use->at != FIGURES_OUT ||
	    !prom_text_label(&w->sample, "queue", name, sizeof name) ||
	    (q = queue_of(f, &w->sample)) == NULL)
		return 0;
	if (q->line == NULL) {
		q->line = calloc(1, sizeof *q->line);
		if (q->line == NULL)
			return -1;
		timeline_begin(q->line, f->now);
	}
	q->total = (isnan(q->total) ? 0 : q->total) + w->sample.value;
	q->grown += increase;
	return 0;
}

static int
count(struct figures *f, const struct found *w, double increase)
{
	struct figures_total *t = NULL;

	switch (w->use->use) {
	case COUNTER: t = &f->counters[w->use->at]; break;
	case ANSWERS: t = code_of(f, &w->sample); break;
	case HISTOGRAM: count_bucket(f, w, increase); return 0;
	case QUEUE:
	case FLUSH:
	case PROCESS: return 0;
	}
	if (t == NULL)
		return 0;
	t->total += w->sample.value;
	t->grown += increase;
	return w->use->use == COUNTER ? count_queue(f, w, increase) : 0;
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

/* Leaves out the queues of which nobody told. */
static void
settle_queues(struct figures *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_queues; i++) {
		struct figures_queue *q = &f->queues[i];

		if (!q->told) {
			free(q->line);
			continue;
		}
		if (q->line != NULL) {
			timeline_grow(q->line, f->now, q->grown);
			q->rate = f->readings == 0
				      ? NAN
				      : timeline_rate(q->line, f->now);
		}
		q->grown = 0;
		f->queues[n++] = *q;
	}
	f->n_queues = n;
}

void
figures_end(struct figures *f)
{
	double ready, oldest;

	settle_queues(f);
	ready = figures_ready(f);
	oldest = figures_oldest(f);
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

static void
add_up(double *all, double value)
{
	if (!isnan(value))
		*all = (isnan(*all) ? 0 : *all) + value;
}

size_t
figures_shards(const struct figures *f, size_t i, unsigned *ret_shards,
    struct figures_queue *ret_all)
{
	const char *first = f->queues[i].name;
	struct figures_queue all = {0};
	char queue[QUEUE_NAME_MAX + 1];
	unsigned number;
	size_t n = 0;

	forget(&all);
	snprintf(all.name, sizeof all.name, "%s",
	    shard_parse(first, queue, &number) ? queue : first);
	*ret_shards = 0;
	for (; i + n < f->n_queues; n++) {
		const struct figures_queue *q = &f->queues[i + n];

		if (shard_parse(q->name, queue, &number) &&
		    strcmp(queue, all.name) == 0)
			++*ret_shards;
		else if (strcmp(q->name, all.name) != 0)
			break;
		add_up(&all.ready, q->ready);
		add_up(&all.taken, q->taken);
		add_up(&all.rejected, q->rejected);
		add_up(&all.total, q->total);
		add_up(&all.rate, q->rate);
		keep_highest(&all.oldest, q->oldest);
	}
	*ret_all = all;
	return n;
}

double
figures_ready(const struct figures *f)
{
	double all = NAN;

	for (size_t i = 0; i < f->n_queues; i++)
		add_up(&all, f->queues[i].ready);
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
	for (size_t i = 0; i < f->n_queues; i++)
		free(f->queues[i].line);
	counters_free(&f->series);
}
