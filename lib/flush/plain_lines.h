/*
 * Lines of plain input on their way into a window: many are added at once,
 * which costs less than one after the other (keysums_add_all).  Pure.
 */
#ifndef INCR_PLAIN_LINES_H
#define INCR_PLAIN_LINES_H

#include <stddef.h>

#include "flush/window.h"

enum { PLAIN_LINES_MAX = 256 };

/* All zero: none. */
struct plain_lines {
	struct increment increments[PLAIN_LINES_MAX];
	size_t n;
};

/* Adds one; w is the window into which all go.  0, or -1 with errno ENOMEM: w
 * must not be committed. */
int plain_lines_add(
    struct plain_lines *p, struct window *w, const struct increment *inc);

/* Adds those that wait to w.  0 or -1, as above. */
int plain_lines_pour(struct plain_lines *p, struct window *w);

#endif
