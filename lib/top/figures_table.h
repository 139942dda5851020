/*
 * The figures as a table for scripts, incr-top(1): lines of three fields with a
 * TAB between them, FIGURE, OF, VALUE.  Pure.
 */
#ifndef INCR_FIGURES_TABLE_H
#define INCR_FIGURES_TABLE_H

#include "base/buf.h"
#include "top/figures.h"

/* Adds the table.  0, or -1 with errno ENOMEM. */
int figures_table(const struct figures *f, struct buf *out);

#endif
