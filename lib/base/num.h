/*
 * Strict text to number, with a range (layer 0).  The whole text must be the
 * number: no sign, no white space, no other base, nothing behind it.
 */
#ifndef INCR_NUM_H
#define INCR_NUM_H

#include <stdint.h>

/* Decimal digits only.  0, or -1 if text is no number in [min, max]. */
int num_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/*
 * Seconds with at most three decimals ("9", "0.25"), to milliseconds.
 * 0, or -1 if text is no such number in [min_ms, max_ms].
 */
int num_seconds(
    const char *text, int64_t min_ms, int64_t max_ms, int64_t *ret_ms);

#endif
