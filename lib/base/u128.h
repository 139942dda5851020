/*
 * Unsigned 128-bit integers, and their decimal text.  Pure.
 */
#ifndef INCR_U128_H
#define INCR_U128_H

#include <stddef.h>

__extension__ typedef unsigned __int128 u128;

enum {
	U128_DIGITS = 38, /* a number of so many digits always fits */
	U128_TEXT = 40    /* bytes of the largest number's text with a NUL */
};

/* Writes n in decimal digits, and a NUL. */
void u128_format(u128 n, char ret[U128_TEXT]);

/* Parses 1 to U128_DIGITS decimal digits and nothing else.  0 or -1. */
int u128_parse(const char *text, size_t len, u128 *ret);

#endif
