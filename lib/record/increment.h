/*
 * One increment: parsed, judged, written in canonical form.
 *
 *	{"key":"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11","value":3}
 *
 * is the canonical form; incr-record(5) has what else is an increment.
 */
#ifndef INCR_INCREMENT_H
#define INCR_INCREMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/fault.h"
#include "record/id.h"

struct increment {
	struct id key;
	int64_t value; /* 1 to INT64_MAX */
};

/* Bytes of the longest canonical form. */
enum { INCREMENT_TEXT = 8 + ID_TEXT + 10 + 19 + 1 };

/*
 * Recognises exactly the canonical form (len bytes, no newline), without a
 * JSON library.  0, or -1: not canonical, which says nothing about its
 * being an increment.  Pure.
 */
int increment_recognise(const char *text, size_t len, struct increment *ret);

/* Does increment_recognise recognise it?  For two thirds of what that costs. */
bool increment_is_canonical(const char *text, size_t len);

/*
 * Judges any bytes: increment_recognise first, then increment_scan, jansson for
 * everything else.
 * FAULT_NONE, or the first of these that holds:
 *
 *	too-long		more than LINES_JSON_MAX bytes
 *	control-line		control_kind says so
 *	not-json		not one JSON text; a NUL, invalid UTF-8 or a
 *				lone surrogate in it
 *	not-an-object
 *	unknown-member		of the object itself
 *	repeated-member		in the object or anywhere below it
 *	missing-key, missing-value
 *	key-not-a-uuid		no string, or one that is no UUID
 *	value-not-an-integer	a fraction or exponent, or no number
 *	value-out-of-range	also -0, and integers of any length
 *
 * unavailable: out of memory; the line may be an increment.
 */
enum fault increment_parse(const char *text, size_t len, struct increment *ret);

/* The same without increment_recognise. */
enum fault increment_judge(const char *text, size_t len, struct increment *ret);

/* The same by jansson alone. */
enum fault increment_load(const char *text, size_t len, struct increment *ret);

/* Writes the canonical form, no newline and no NUL; its length. */
size_t increment_format(const struct increment *inc, char ret[INCREMENT_TEXT]);

/* Judges as increment_judge, and writes the canonical form of an increment, for
 * less than the two cost. */
enum fault increment_rewrite(
    const char *text, size_t len, char ret[INCREMENT_TEXT], size_t *ret_len);

#endif
