/*
 * Messages about lines that are no increments: the first ten are listed on
 * standard error, the others counted and their number told at the end.
 *
 *	incr-validate: line 7: not-json: the line must be one JSON text
 *	incr-validate: further invalid lines are counted, not listed
 *	incr-validate: stdin: 5000 of 5001 lines rejected
 */
#ifndef INCR_INVALID_LINES_H
#define INCR_INVALID_LINES_H

#include <stdint.h>

#include "record/fault.h"

/* All zero: none yet. */
struct invalid_lines {
	uint64_t n;
};

/* Input line number `line` (from 1) has this fault: says so, or counts it.
 * hint: fault_hint() of it, or NULL. */
void invalid_lines_add(
    struct invalid_lines *l, uint64_t line, enum fault fault, const char *hint);

/* At the end, after n_lines: tells the total if not all were listed. */
void invalid_lines_end(const struct invalid_lines *l, uint64_t n_lines);

#endif
