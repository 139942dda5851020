/* Means and quantiles of histograms over the last minute. */
#include "top/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t
number(double now)
{
	return (int64_t)floor(now / HISTOGRAM_SLOT_S);
}

/* The slot of this time, emptied if it had another one's. */
static size_t
slot(struct histogram *h, double now)
{
	int64_t n = number(now);
	size_t at = (size_t)(n % HISTOGRAM_SLOTS);

	if (h->slots[at].number != n) {
		memset(&h->slots[at], 0, sizeof h->slots[at]);
		h->slots[at].number = n;
	}
	return at;
}

static bool
is_recent(const struct histogram *h, size_t at, double now)
{
	int64_t age = number(now) - h->slots[at].number;

	return age >= 0 && age < HISTOGRAM_SLOTS;
}

void
histogram_bucket(struct histogram *h, double now, double bound, double increase)
{
	size_t i = 0;

	if (isnan(bound))
		return;
	while (i < h->n && h->bounds[i] != bound)
		i++;
	if (i == HISTOGRAM_BOUNDS)
		return;
	if (i == h->n)
		h->bounds[h->n++] = bound;
	h->slots[slot(h, now)].below[i] += increase;
}

void
histogram_sum(struct histogram *h, double now, double increase)
{
	h->slots[slot(h, now)].sum += increase;
}

void
histogram_count(struct histogram *h, double now, double increase)
{
	h->slots[slot(h, now)].count += increase;
}

bool
histogram_mean(const struct histogram *h, double now, double *ret)
{
	double sum = 0, count = 0;

	for (size_t i = 0; i < HISTOGRAM_SLOTS; i++)
		if (is_recent(h, i, now)) {
			sum += h->slots[i].sum;
			count += h->slots[i].count;
		}
	if (count <= 0)
		return false;
	*ret = sum / count;
	return true;
}

struct bucket {
	double bound, below;
};

static int
compare(const void *a, const void *b)
{
	const struct bucket *x = a, *y = b;

	return (x->bound > y->bound) - (x->bound < y->bound);
}

/* In order; what a bucket has is never less than what a lower one has. */
static void
collect(const struct histogram *h, double now, struct bucket *ret)
{
	for (size_t i = 0; i < h->n; i++) {
		ret[i] = (struct bucket){.bound = h->bounds[i]};
		for (size_t s = 0; s < HISTOGRAM_SLOTS; s++)
			if (is_recent(h, s, now))
				ret[i].below += h->slots[s].below[i];
	}
	qsort(ret, h->n, sizeof *ret, compare);
	for (size_t i = 1; i < h->n; i++)
		ret[i].below = fmax(ret[i].below, ret[i - 1].below);
}

bool
histogram_quantile(const struct histogram *h, double now, double q, double *ret,
    bool *ret_more)
{
	struct bucket b[HISTOGRAM_BOUNDS] = {0};
	double rank, low = 0, under = 0;
	size_t i = 0;

	collect(h, now, b);
	if (h->n == 0 || b[h->n - 1].below <= 0)
		return false;
	rank = q * b[h->n - 1].below;
	while (i + 1 < h->n && b[i].below < rank)
		i++;
	if (i > 0) {
		low = b[i - 1].bound;
		under = b[i - 1].below;
	}
	*ret_more = isinf(b[i].bound);
	if (*ret_more || b[i].below <= under) {
		*ret = *ret_more ? low : b[i].bound;
		return true;
	}
	*ret = low + (b[i].bound - low) * (rank - under) / (b[i].below - under);
	return true;
}
