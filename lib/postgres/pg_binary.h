/*
 * Arrays in Postgres's binary format, as parameters.  Pure.
 *
 *	int32 dimensions (0: empty), int32 0 (no nulls), uint32 element type,
 *	int32 length, int32 1 (lower bound), then for each element
 *	int32 bytes, bytes				(array_recv)
 *
 * Each function that adds to a buf returns 0, or -1 with errno ENOMEM:
 * unchanged.
 */
#ifndef INCR_PG_BINARY_H
#define INCR_PG_BINARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "postgres/keysums.h"
#include "record/id.h"

/* Object ids of types, constant in every Postgres (pg_type.dat). */
enum {
	PG_BINARY_INT8 = 20,
	PG_BINARY_TEXT = 25,
	PG_BINARY_INT8_ARRAY = 1016,
	PG_BINARY_NUMERIC = 1700,
	PG_BINARY_NUMERIC_ARRAY = 1231,
	PG_BINARY_UUID = 2950,
	PG_BINARY_UUID_ARRAY = 2951
};

/* uuid[] of n ids that stand stride bytes apart. */
int pg_binary_add_ids(
    struct buf *out, const struct id *first, size_t stride, size_t n);

/* Do all sums of sorted fit int64? */
bool pg_binary_fit_int8(const struct keysums *sorted);

/* int8[] of the sums, which must fit, in order. */
int pg_binary_add_int8(struct buf *out, const struct keysums *sorted);

/* numeric[] of the sums, in order. */
int pg_binary_add_numeric(struct buf *out, const struct keysums *sorted);

#endif
