/*
 * A picture of so many rows and columns of text: what a terminal is to show.
 * Pure.
 *
 * Text of others is shown with '?' in place of every byte but printable ASCII,
 * so that it commands no terminal.  What a row has no room for is cut.
 */
#ifndef INCR_FRAME_H
#define INCR_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Meanings, not colours: without colour a frame says the same. */
enum frame_style {
	FRAME_PLAIN,
	FRAME_STRONG, /* a heading, the most important number */
	FRAME_GOOD,
	FRAME_WARN,
	FRAME_BAD,
	FRAME_STYLES
};

struct frame {
	int rows, cols;
	bool utf8;       /* glyphs of UTF-8, else ASCII */
	bool color;      /* with the codes of ANSI for styles */
	int row, col;    /* where the next text goes */
	bool failed;     /* no memory */
	struct buf text; /* rows, each ended by a newline */
};

/* An empty picture; keeps the memory of f. */
void frame_begin(struct frame *f, int rows, int cols);

/* Text at the end of the row; with a '\n' in it, it is one of others. */
void frame_put(struct frame *f, enum frame_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Moves on to a column of the row, at most one column if it is there. */
void frame_tab(struct frame *f, int col);

/* Ends the row; false if it was the last. */
bool frame_end_row(struct frame *f);

/* Rows that can still be ended. */
int frame_rows_left(const struct frame *f);

/* Columns of the row that are left. */
int frame_cols_left(const struct frame *f);

/* A bar of `width` columns for value of max, full at max. */
void frame_bar(struct frame *f, enum frame_style style, double value,
    double max, int width);

/* A column for each of the n values, of which the highest is max; nothing for
 * those that are negative. */
void frame_spark(struct frame *f, enum frame_style style, const double *values,
    size_t n, double max);

void frame_free(struct frame *f);

#endif
