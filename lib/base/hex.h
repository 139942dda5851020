/*
 * Hexadecimal digits.  Pure.
 */
#ifndef INCR_HEX_H
#define INCR_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* The value of a digit, in either case; -1 if c is none. */
int hex_value(char c);

/* Are all len characters digits in lower case? */
bool hex_is_lower(const char *text, size_t len);

/* Writes n bytes as 2 * n digits in lower case, without a NUL.  Returns the
 * end of what was written. */
char *hex_write(char *to, const void *bytes, size_t n);

#endif
