/*
 * Lines that are JSON in its plainest form: an object whose names are strings
 * of printable ASCII without escapes, and whose values are such strings,
 * integers of at most 19 digits, true, false or null.
 *
 *	{ "value" : 3 , "key" : "6F1B3C1E-7A4F-4F60-9A53-2B0F0F3A9A11" }
 *	{"key": "x", "value": -1, "count": true}
 *
 * Most of what clients send is this, right or wrong, and a JSON library costs
 * ten times as much.
 */
#ifndef INCR_INCREMENT_SCAN_H
#define INCR_INCREMENT_SCAN_H

#include <stddef.h>

#include "record/increment.h"

/*
 * 0 with what increment_load() says of text (len bytes): *ret_fault, and *ret
 * if that is FAULT_NONE.  -1: text is no such line, and may be anything.  Needs
 * no memory.  Pure.
 */
int increment_scan(
    const char *text, size_t len, enum fault *ret_fault, struct increment *ret);

#endif
