/*
 * The counts of some keys, as they are in the table.  The calls are like those
 * of statements.h.
 */
#ifndef INCR_COUNTS_H
#define INCR_COUNTS_H

#include <stddef.h>

#include "base/u128.h"
#include "postgres/postgres.h"
#include "record/id.h"

enum { COUNTS_DIGITS = 36 }; /* a larger count is passed over */

/* Reads the counts of n keys (at least one), which stand stride bytes apart,
 * in a database that can be written to: this one, if database is not NULL. */
int counts_read(struct postgres *pg, const struct id *first, size_t stride,
    size_t n, const struct id *database);

/* Results, row i of postgres_rows: 0, or -1 if it says that this is another
 * database, or a server that can't be written to. */
int counts_row(
    const struct postgres *pg, size_t i, struct id *ret_key, u128 *ret_count);

#endif
