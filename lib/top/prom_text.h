/*
 * The samples of a text in the format of Prometheus, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats).  Pure.
 *
 *	# HELP incr_published_total Increments that Redis has.
 *	# TYPE incr_published_total counter
 *	incr_published_total{program="incr-publish",pid="7"} 12 1395066363000
 *	|      name        | |          labels           | value   time
 */
#ifndef INCR_PROM_TEXT_H
#define INCR_PROM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { PROM_TEXT_LINE_MAX = 4096, PROM_TEXT_LABELS_MAX = 32 };

struct prom_text {
	const char *at, *end; /* what is not read yet */
	size_t bad;           /* lines that are neither sample nor comment */
};

/* Borrowed from the text. */
struct prom_sample {
	const char *name, *labels; /* what is between the braces, or nothing */
	size_t name_len, labels_len;
	double value; /* may be NaN or infinite */
};

/* text is borrowed until the last sample has been used. */
void prom_text_open(struct prom_text *t, const char *text, size_t len);

/* The next sample; false at the end.  A line without a newline at the end of
 * the text may be half of one: it is bad. */
bool prom_text_next(struct prom_text *t, struct prom_sample *ret);

/* Is it of this name? */
bool prom_text_is(const struct prom_sample *s, const char *name);

/*
 * The value of a label, unescaped, ended by NUL and cut to size - 1 bytes.
 * False, with an empty value, if there is no such label.
 */
bool prom_text_label(
    const struct prom_sample *s, const char *label, char *ret, size_t size);

/* A number as the format has them: 12, 1.5e-05, NaN, +Inf.  0, or -1. */
int prom_text_number(const char *text, size_t len, double *ret);

#endif
