/*
 * The screen of incr-top: figures as rows of text.  Pure.
 *
 * The most important rows come first, so that a terminal that is too small
 * lacks the least important ones.  80 columns and 24 rows are enough for one
 * queue and the ten processes of two ingests and two drains; of more processes
 * those of a program on a host share a row.
 */
#ifndef INCR_VIEW_H
#define INCR_VIEW_H

#include <stdbool.h>

#include "top/figures.h"
#include "top/frame.h"

/* Seconds that a column of a sparkline stands for. */
enum { VIEW_COLUMN_S = 5 };

/* The promise: from the 202 to the row. */
#define VIEW_PROMISE_S 10.0

struct view {
	const char *source;  /* where the figures come from */
	const char *trouble; /* why they are old, or NULL */
	const char *clock;   /* what time it is */
	bool paused;
	bool keys; /* those of the keyboard are read */
};

/* Fills f, which has been begun. */
void view_draw(struct frame *f, const struct figures *g, const struct view *v);

#endif
