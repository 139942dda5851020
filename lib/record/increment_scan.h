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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/increment.h"

/* An increment as it stands in a text. */
struct increment_words {
	const char *key;    /* ID_TEXT characters */
	bool is_lower;      /* as id_format writes them */
	const char *digits; /* of the value, as num_write writes them */
	size_t n_digits;
	int64_t value;
};

/*
 * 0 with what increment_load() says of text (len bytes): *ret_fault, and *ret
 * if that is FAULT_NONE.  -1: text is no such line, and may be anything.  Needs
 * no memory.  Pure.
 */
int increment_scan(
    const char *text, size_t len, enum fault *ret_fault, struct increment *ret);

/* The same, but the key stays text: an increment_words has it as it stands. */
int increment_scan_words(const char *text, size_t len, enum fault *ret_fault,
    struct increment_words *ret);

#endif
