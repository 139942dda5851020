/*
 * One statement for the batches of several consumers, each counted only if its
 * own ledger row moves.  The calls are like those of statements.h.
 */
#ifndef INCR_APPLY_MANY_H
#define INCR_APPLY_MANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "postgres/keysums.h"
#include "postgres/statements.h"
#include "record/id.h"

enum { APPLY_MANY_MAX = 16 }; /* consumers */

/* Batches of one consumer; all borrowed. */
struct apply_many {
	const struct id *consumer;
	struct statements_batches batches;
	const struct keysums *sorted;
};

/*
 * For each of n consumers, which are different: moves its row as
 * statements_apply does, and adds its sums only if it moved, all in one
 * statement.  Rows are locked in the order of their ids; one that another
 * session has locked is passed over, as if it stood elsewhere (but a row that
 * does not exist yet, first = 1, is waited for).  It fails as a whole if fewer
 * rows are inserted or updated than there are keys.
 */
int apply_many(struct postgres *pg, const char *queue,
    const struct apply_many *of, size_t n, const struct id *database);
/* Result: did the row of consumer i move? */
bool apply_many_moved(const struct postgres *pg, size_t i);
/* statements_elsewhere is a result, too. */

/* Reads the rows of n consumers as statements_read does, but for those that
 * another session has locked. */
int apply_many_read(struct postgres *pg, const char *queue,
    const struct id *const *consumers, size_t n, const struct id *database);
/* Results: statements_elsewhere; the row of consumer i, 0 if there is none.  -1
 * if it is locked, 0 otherwise. */
int apply_many_row(const struct postgres *pg, size_t i, uint64_t *ret_row);

#endif
