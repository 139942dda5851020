/*
 * Histograms of others over the last minute: means and quantiles.  Pure; times
 * are seconds of any clock that does not step.
 */
#ifndef INCR_HISTOGRAM_H
#define INCR_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_BOUNDS = 32,
	HISTOGRAM_SLOT_S = 10,
	HISTOGRAM_SLOTS = 7 /* the last minute, and what has begun */
};

/* All zero is empty. */
struct histogram {
	double bounds[HISTOGRAM_BOUNDS]; /* in the order in which they came */
	size_t n;
	struct {
		int64_t number; /* of the ten seconds */
		/* Observations up to each bound, as the text has them. */
		double below[HISTOGRAM_BOUNDS];
		double sum, count;
	} slots[HISTOGRAM_SLOTS];
};

/* The increase of a bucket, of the sum, or of the count.  Of more than
 * HISTOGRAM_BOUNDS bounds, the last to come are left out. */
void histogram_bucket(
    struct histogram *h, double now, double bound, double increase);
void histogram_sum(struct histogram *h, double now, double increase);
void histogram_count(struct histogram *h, double now, double increase);

/* The mean of the last minute; false if there was no observation. */
bool histogram_mean(const struct histogram *h, double now, double *ret);

/*
 * The quantile q, 0 to 1, as histogram_quantile() of Prometheus gives it: each
 * bucket is filled evenly.  *ret_more: it is higher than the highest finite
 * bound, which is returned.  False if there was no observation.
 */
bool histogram_quantile(const struct histogram *h, double now, double q,
    double *ret, bool *ret_more);

#endif
