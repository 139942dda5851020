/* The last minutes of a figure, second by second. */
#include "top/timeline.h"

#include <math.h>
#include <string.h>

enum { WINDOW_S = 5 };

void
timeline_begin(struct timeline *t, double now)
{
	*t = (struct timeline){.first = (int64_t)floor(now),
	    .last = (int64_t)floor(now),
	    .steps = {{.at = now}},
	    .n_steps = 1};
}

/* The last step, or one that lies further back. */
static const struct timeline_step *
step(const struct timeline *t, uint64_t back)
{
	return &t->steps[(t->n_steps - 1 - back) % TIMELINE_STEPS];
}

static bool
has_step(const struct timeline *t, uint64_t back)
{
	return back < t->n_steps && back < TIMELINE_STEPS;
}

/* How long the last growth took, as far as one can tell. */
static double
gap(const struct timeline *t)
{
	return has_step(t, 1)
		   ? fmin(step(t, 0)->at - step(t, 1)->at, TIMELINE_SPREAD_S)
		   : 1;
}

static double *
bin(struct timeline *t, int64_t s)
{
	return &t->bins[s % TIMELINE_S];
}

static double
get(const struct timeline *t, int64_t s)
{
	return s < t->first || s > t->last ? 0 : t->bins[s % TIMELINE_S];
}

/* The bins up to now are there, and those that lie too far back are not. */
static void
advance(struct timeline *t, double now)
{
	int64_t s = (int64_t)floor(now);

	if (s - t->last >= TIMELINE_S) {
		memset(t->bins, 0, sizeof t->bins);
		t->last = s;
	}
	while (t->last < s)
		*bin(t, ++t->last) = 0;
	if (t->first <= t->last - TIMELINE_S)
		t->first = t->last - TIMELINE_S + 1;
}

void
timeline_grow(struct timeline *t, double now, double increase)
{
	double from = fmax(step(t, 0)->at, now - TIMELINE_SPREAD_S);
	double length = now - from, total = step(t, 0)->total + increase;

	advance(t, now);
	if (increase <= 0)
		return;
	if (length <= 0)
		*bin(t, t->last) += increase;
	for (int64_t s = (int64_t)floor(from); s <= t->last && length > 0;
	     s++) {
		double inside =
		    fmin(now, (double)s + 1) - fmax(from, (double)s);

		if (s >= t->first && inside > 0)
			*bin(t, s) += increase * inside / length;
	}
	t->steps[t->n_steps++ % TIMELINE_STEPS] =
	    (struct timeline_step){now, total};
}

void
timeline_reach(struct timeline *t, double now, double value)
{
	advance(t, now);
	*bin(t, t->last) = fmax(get(t, t->last), value);
}

double
timeline_known(const struct timeline *t, double now)
{
	double last = step(t, 0)->at;

	return now - last > gap(t) * 1.5 + 1 ? now : last;
}

double
timeline_rate(const struct timeline *t, double now)
{
	double to = timeline_known(t, now);
	double since = to - fmax(WINDOW_S, gap(t));
	uint64_t back = 0;

	while (has_step(t, back + 1) && step(t, back + 1)->at >= since)
		back++;
	if (to <= step(t, back)->at || to > now)
		return 0;
	return (step(t, 0)->total - step(t, back)->total) /
	       (to - step(t, back)->at);
}

/* -1 unless a second of it is known. */
static double
column(const struct timeline *t, int64_t from, int64_t to, bool highest)
{
	double all = 0;
	int n = 0;

	for (int64_t s = from; s < to; s++) {
		if (s < t->first || s > t->last)
			continue;
		all = highest ? fmax(all, get(t, s)) : all + get(t, s);
		n++;
	}
	return n == 0 ? -1 : highest ? all : all / n;
}

void
timeline_columns(const struct timeline *t, double now, int column_s,
    bool highest, double *ret, size_t n)
{
	double known = highest ? now : timeline_known(t, now);
	int64_t width = column_s, last = (int64_t)floor(now) / width;
	/* A second of which only the beginning is known says too little. */
	int64_t end = (int64_t)floor(known) + (highest ? 1 : 0);

	for (size_t i = 0; i < n; i++) {
		int64_t c = last - (int64_t)(n - 1 - i);
		int64_t to = (c + 1) * width < end ? (c + 1) * width : end;

		ret[i] = column(t, c * width, to, highest);
	}
}
