/* Draws the figures of a system as rows of text. */
#include "top/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "queue/shards.h"
#include "top/human.h"
#include "top/view_processes.h"

enum {
	FIXED_ROWS = 10, /* all but queues, processes, warnings, empty ones */
	LABEL = 9,
	NUMBER = 12,
	HIGHEST = 18, /* "  max 1,234,567/s" */
	NAME = 20,    /* of a queue */
	SPARK_MIN = 8,
	SPARK_MAX = TIMELINE_S / VIEW_COLUMN_S,
	BAR_MAX = 40,
	COUNTED_BAR = 14
};

static void draw_title(struct frame *f, const struct view *v);
static int draw_warnings(
    struct frame *f, const struct figures *g, const struct view *v);
static void draw_counter(struct frame *f, const char *label,
    const struct figures *g, enum figures_counter which);
static void draw_answers(struct frame *f, const struct figures *g);
static void draw_requests(struct frame *f, const struct figures *g);
static void draw_ready(struct frame *f, const struct figures *g);
static int count_sharded(const struct figures *g);
static void draw_queues(struct frame *f, const struct figures *g, int rows);
static void draw_counted(struct frame *f, const struct figures *g);
static void draw_keys(struct frame *f, const struct view *v);

void
view_draw(struct frame *f, const struct figures *g, const struct view *v)
{
	int left, queues, processes;

	draw_title(f, v);
	left = f->rows - FIXED_ROWS - draw_warnings(f, g, v);
	queues = (int)g->n_queues + count_sharded(g);
	if (queues > left / 3)
		queues = left / 3;
	if (queues < 1)
		queues = 1;
	processes = view_processes_rows(&g->processes, left - queues);
	left -= queues + processes;
	draw_counter(f, "in", g, FIGURES_IN);
	draw_counter(f, "out", g, FIGURES_OUT);
	draw_answers(f, g);
	draw_requests(f, g);
	if (left-- > 0)
		frame_end_row(f);
	draw_queues(f, g, queues);
	draw_ready(f, g);
	draw_counted(f, g);
	if (left-- > 0)
		frame_end_row(f);
	view_processes_draw(f, &g->processes, processes, g->unix_now);
	while (frame_rows_left(f) > 1)
		frame_end_row(f);
	draw_keys(f, v);
}

static void
draw_title(struct frame *f, const struct view *v)
{
	int right = (int)strlen(v->clock) + (v->paused ? 8 : 0);

	frame_put(f, FRAME_STRONG, "incr-top");
	frame_put(
	    f, FRAME_PLAIN, "  %.*s", f->cols - 11 - right - 1, v->source);
	frame_tab(f, f->cols - right);
	if (v->paused)
		frame_put(f, FRAME_STRONG, "paused  ");
	frame_put(f, FRAME_PLAIN, "%s", v->clock);
	frame_end_row(f);
}

static void
warn(struct frame *f, int *n, const char *text)
{
	frame_put(f, FRAME_BAD, "! %s", text);
	frame_end_row(f);
	(*n)++;
}

static int
draw_warnings(struct frame *f, const struct figures *g, const struct view *v)
{
	double ready = figures_ready(g);
	char text[80];
	int n = 0;

	if (v->trouble != NULL)
		warn(f, &n, v->trouble);
	if (ready > 0 && processes_running(&g->processes, "incr-flush") == 0)
		warn(f, &n, "no incr-flush runs: nothing is counted");
	if (g->counters[FIGURES_STEPS_BACK].total > 0) {
		snprintf(text, sizeof text,
		    "Redis or Postgres went back, %.0f times; see "
		    "incr-audit(1)",
		    g->counters[FIGURES_STEPS_BACK].total);
		warn(f, &n, text);
	}
	if (g->flush.at_risk > 0)
		warn(f, &n,
		    "statements are so slow that after a kill increments may "
		    "be late");
	return n;
}

/* The row's past, and the highest of it. */
static void
draw_past(struct frame *f, const struct timeline *t, double now, bool gauge)
{
	double columns[SPARK_MAX], highest = 0;
	int width = frame_cols_left(f) - HIGHEST;
	struct human h;

	if (width > SPARK_MAX)
		width = SPARK_MAX;
	if (width < SPARK_MIN)
		return;
	timeline_columns(t, now, VIEW_COLUMN_S, gauge, columns, (size_t)width);
	for (int i = 0; i < width; i++)
		highest = fmax(highest, columns[i]);
	frame_spark(f, FRAME_PLAIN, columns, (size_t)width, highest);
	h = gauge ? human_count(highest) : human_rate(highest);
	frame_put(f, FRAME_PLAIN, "  max %s", h.text);
}

static void
draw_counter(struct frame *f, const char *label, const struct figures *g,
    enum figures_counter which)
{
	const struct figures_total *t = &g->counters[which];

	frame_put(f, FRAME_PLAIN, "%-*s", LABEL, label);
	frame_put(f, FRAME_STRONG, "%*s", NUMBER,
	    human_rate(figures_rate(g, t)).text);
	frame_put(f, FRAME_PLAIN, "  ");
	draw_past(f, &t->line, g->now, false);
	frame_end_row(f);
}

/* Codes that are being answered first, then those that were. */
static void
draw_answers(struct frame *f, const struct figures *g)
{
	frame_put(f, FRAME_PLAIN, "%-*s", LABEL, "answers");
	for (int idle = 0; idle < 2; idle++)
		for (size_t i = 0; i < g->n_codes; i++) {
			const struct figures_code *c = &g->codes[i];
			double rate = figures_rate(g, &c->answers);
			bool bad = c->code[0] == '5' && rate > 0;

			if ((rate > 0) == idle || c->answers.total <= 0)
				continue;
			frame_put(
			    f, FRAME_PLAIN, "%s", f->col > LABEL ? "  " : "");
			frame_put(f, bad ? FRAME_BAD : FRAME_PLAIN, "%s %s",
			    c->code, human_rate(rate).text);
		}
	frame_end_row(f);
}

static struct human
quantile(const struct histogram *h, double now, double q)
{
	double s = NAN;
	bool more = false;

	(void)histogram_quantile(h, now, q, &s, &more);
	return more ? human_behind('>', human_seconds(s)) : human_seconds(s);
}

static struct human
mean(const struct histogram *h, double now)
{
	double s = NAN;

	(void)histogram_mean(h, now, &s);
	return human_seconds(s);
}

static void
draw_requests(struct frame *f, const struct figures *g)
{
	frame_put(f, FRAME_PLAIN, "%-*smean %s  p50 %s  p99 %s", LABEL,
	    "requests", mean(&g->requests, g->now).text,
	    quantile(&g->requests, g->now, 0.5).text,
	    quantile(&g->requests, g->now, 0.99).text);
	frame_put(f, FRAME_PLAIN, "   rejected lines %s",
	    human_rate(figures_rate(g, &g->counters[FIGURES_REJECTED])).text);
	frame_end_row(f);
}

static enum frame_style
style_of(double seconds)
{
	if (seconds > VIEW_PROMISE_S)
		return FRAME_BAD;
	return seconds > 0.95 * VIEW_PROMISE_S ? FRAME_WARN : FRAME_GOOD;
}

/* "8.1s", with a mark behind it if it is late. */
static void
put_age(struct frame *f, int width, double seconds)
{
	bool late = seconds > VIEW_PROMISE_S;

	frame_put(f, late ? FRAME_BAD : FRAME_PLAIN, "%*s%s", width,
	    human_seconds(seconds).text, late ? "!" : " ");
}

/* Of a name that is too long its beginning and its shard are shown. */
static void
put_queue_name(struct frame *f, const char *name, unsigned shards)
{
	char behind[16] = "", queue[QUEUE_NAME_MAX + 1], text[NAME + 1];
	unsigned i;

	if (shards > 1) {
		snprintf(behind, sizeof behind, "/%u", shards);
	} else if (shard_parse(name, queue, &i)) {
		snprintf(behind, sizeof behind, ".%u", i);
		name = queue;
	}
	snprintf(text, sizeof text, "%.*s%s", NAME - (int)strlen(behind),
	    *name == '\0' ? "-" : name, behind);
	frame_put(f, FRAME_PLAIN, "%-*s", NAME, text);
}

/* shards: if more than one, these together. */
static void
draw_queue(struct frame *f, const struct figures_queue *q, unsigned shards)
{
	int bar;

	put_queue_name(f, q->name, shards);
	frame_put(f, FRAME_PLAIN, " %9s %6s", human_count(q->ready).text,
	    human_count(q->taken).text);
	frame_put(f, q->rejected > 0 ? FRAME_WARN : FRAME_PLAIN, " %6s",
	    human_count(q->rejected).text);
	frame_put(f, FRAME_PLAIN, " %11s", human_rate(q->rate).text);
	put_age(f, 8, q->oldest);
	frame_put(f, FRAME_PLAIN, " ");
	bar = frame_cols_left(f);
	if (bar >= SPARK_MIN)
		frame_bar(f, style_of(q->oldest), q->oldest, VIEW_PROMISE_S,
		    bar > BAR_MAX ? BAR_MAX : bar);
	frame_end_row(f);
}

/* How many queues with shards there are. */
static int
count_sharded(const struct figures *g)
{
	struct figures_queue all;
	unsigned shards;
	int n = 0;

	for (size_t i = 0; i < g->n_queues;) {
		i += figures_shards(g, i, &shards, &all);
		n += shards > 1;
	}
	return n;
}

/* Marks those with the oldest, as many as there are rows. */
static void
choose_queues(const struct figures *g, int rows, bool ret[FIGURES_QUEUES])
{
	for (int i = 0; i < rows && i < (int)g->n_queues; i++) {
		double highest = -1;
		size_t at = 0;

		for (size_t k = 0; k < g->n_queues; k++)
			if (!ret[k] && fmax(g->queues[k].oldest, 0) > highest) {
				highest = fmax(g->queues[k].oldest, 0);
				at = k;
			}
		ret[at] = true;
	}
}

/* What those with shards have in all comes first. */
static void
draw_queues(struct frame *f, const struct figures *g, int rows)
{
	bool shown[FIGURES_QUEUES] = {false};
	int totals = count_sharded(g);
	struct figures_queue all;
	unsigned shards;

	frame_put(f, FRAME_STRONG, "%-*s %9s %6s %6s %11s%8s  %s", NAME,
	    "queue", "ready", "taken", "dead", "out", "oldest", "full at 10s");
	frame_end_row(f);
	if (g->n_queues == 0) {
		frame_put(f, FRAME_PLAIN, "-");
		frame_end_row(f);
	}
	totals = totals < rows ? totals : rows;
	choose_queues(g, rows - totals, shown);
	for (size_t i = 0; i < g->n_queues;) {
		size_t n = figures_shards(g, i, &shards, &all);

		if (shards > 1 && totals-- > 0)
			draw_queue(f, &all, shards);
		for (size_t end = i + n; i < end; i++)
			if (shown[i])
				draw_queue(f, &g->queues[i], 1);
	}
}

static void
draw_ready(struct frame *f, const struct figures *g)
{
	char label[32] = "ready";

	if (g->n_queues > 1)
		snprintf(label, sizeof label, "ready/%zu", g->n_queues);
	frame_put(f, FRAME_PLAIN, "%-*s%*s  ", LABEL, label, NUMBER,
	    human_count(figures_ready(g)).text);
	draw_past(f, &g->ready, g->now, true);
	frame_end_row(f);
}

static void
draw_counted(struct frame *f, const struct figures *g)
{
	double age = g->flush.staleness;

	frame_put(f, FRAME_PLAIN, "%-*safter", LABEL, "counted");
	put_age(f, 7, age);
	frame_bar(f, style_of(age), age, VIEW_PROMISE_S, COUNTED_BAR);
	frame_put(f, FRAME_PLAIN, "  statement %s p99 %s  keys %s",
	    mean(&g->statements, g->now).text,
	    quantile(&g->statements, g->now, 0.99).text,
	    human_count(g->flush.keys).text);
	frame_end_row(f);
}

static void
draw_keys(struct frame *f, const struct view *v)
{
	if (v->keys)
		frame_put(f, FRAME_PLAIN, "q quit  p %s",
		    v->paused ? "go on" : "pause");
	frame_end_row(f);
}
