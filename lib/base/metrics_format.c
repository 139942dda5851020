/* Writes series as Prometheus text. */
#include "base/metrics_format.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

const double metrics_bounds[METRICS_BUCKETS] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10};

/* Sixteen digits: every count up to 2^53 is exact, and 0.1 stays short. */
static int
put(struct buf *out, const struct metric *s, const char *labels,
    const char *suffix, const char *le, double value)
{
	return buf_addf(out, "%s%s{%s%s%s%s%s%s} %.16g\n", s->name, suffix,
	    s->labels == NULL ? "" : s->labels, s->labels == NULL ? "" : ",",
	    le == NULL ? "" : "le=\"", le == NULL ? "" : le,
	    le == NULL ? "" : "\",", labels, value);
}

/* Each bucket of the file has all that is below it, too. */
static int
put_histogram(struct buf *out, const struct metric *s, const char *labels)
{
	uint64_t below = 0;
	char le[32];

	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		below += s->buckets[i];
		snprintf(le, sizeof le, "%g", metrics_bounds[i]);
		if (put(out, s, labels, "_bucket", le, (double)below) < 0)
			return -1;
	}
	below += s->buckets[METRICS_BUCKETS];
	if (put(out, s, labels, "_bucket", "+Inf", (double)below) < 0 ||
	    put(out, s, labels, "_sum", NULL, s->value) < 0)
		return -1;
	return put(out, s, labels, "_count", NULL, (double)below);
}

static int
put_comments(struct buf *out, const struct metric *s)
{
	static const char *const kinds[] = {[METRICS_COUNTER] = "counter",
	    [METRICS_GAUGE] = "gauge",
	    [METRICS_HISTOGRAM] = "histogram"};

	return buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", s->name, s->help,
	    s->name, kinds[s->kind]);
}

int
metrics_format(struct buf *out, const struct metric *table, size_t n,
    const char *labels, const char **last)
{
	for (const struct metric *s = table; s < table + n; s++) {
		if (s->rare && s->value == 0)
			continue;
		if (strcmp(s->name, *last) != 0 && put_comments(out, s) < 0)
			return -1;
		*last = s->name;
		if ((s->kind == METRICS_HISTOGRAM
			    ? put_histogram(out, s, labels)
			    : put(out, s, labels, "", NULL, s->value)) < 0)
			return -1;
	}
	return 0;
}
