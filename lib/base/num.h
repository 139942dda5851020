/*
 * Numbers: the lesser of two, number to text, and strict text to number with a
 * range.  The whole text must be the number: no sign, no white space, no other
 * base, nothing behind it.
 */
#ifndef INCR_NUM_H
#define INCR_NUM_H

#include <stddef.h>
#include <stdint.h>

static inline int64_t
num_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline size_t
num_min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Bytes of the longest text of num_write. */
enum { NUM_TEXT = 20 };

/* Writes n in decimal digits, without a NUL.  Returns the end of what was
 * written. */
char *num_write(char *to, uint64_t n);

/* Decimal digits only.  0, or -1 if text is no number in [min, max]. */
int num_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/*
 * Seconds with at most three decimals ("9", "0.25"), to milliseconds.
 * 0, or -1 if text is no such number in [min_ms, max_ms].
 */
int num_seconds(
    const char *text, int64_t min_ms, int64_t max_ms, int64_t *ret_ms);

#endif
