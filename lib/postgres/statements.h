/*
 * The tables in Postgres (layer 2): sums applied once, and the ledger that
 * says what was applied.
 *
 * Each call begins a statement on an idle connection (postgres.h) and
 * returns 0, or -1 if it is not idle or memory is gone.  Every call is safe
 * to repeat, whatever has become of it.  Results may be read from
 * POSTGRES_DONE to the next call.
 */
#ifndef INCR_STATEMENTS_H
#define INCR_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "postgres/keysums.h"
#include "postgres/postgres.h"
#include "record/id.h"

enum {
	STATEMENTS_OLD_MAX = 100, /* ledger rows of one statements_old */
	STATEMENTS_OLD_DAYS = 30  /* a ledger row is kept at least that long */
};

/*
 * One statement: moves consumer's ledger row to last if it stands at
 * exactly first - 1 (first = 1: inserts it if there is none), and adds all
 * sums only if it moved.  sums is sorted; borrowed for this call only.
 */
int statements_apply(struct postgres *pg, const struct id *consumer,
    const char *queue, uint64_t first, uint64_t last,
    const struct keysums *sorted);
/* Did the row move, so that the sums are in the table now? */
bool statements_moved(const struct postgres *pg);

/* Reads consumer's ledger row. */
int statements_read(struct postgres *pg, const struct id *consumer);
/* Its last batch that is in the table, 0 if there is no row. */
uint64_t statements_row(const struct postgres *pg);

/* Finds at most STATEMENTS_OLD_MAX consumers of queue, in order from `after`
 * on, whose rows have not moved for STATEMENTS_OLD_DAYS. */
int statements_old(
    struct postgres *pg, const char *queue, const struct id *after);
/* 0, or -1 if there is no such row. */
int statements_old_consumer(
    const struct postgres *pg, size_t i, struct id *ret_consumer);

/* Deletes the rows of n consumers that are still that old. */
int statements_forget(
    struct postgres *pg, const struct id *consumers, size_t n);

/* Reads at one moment the sum of all keys, or of one if key is not NULL,
 * and the ledger of queue. */
int statements_audit(
    struct postgres *pg, const char *queue, const struct id *key);
/* 0 with the sum and how many keys there are, or -1: the sum is no whole
 * number that fits. */
int statements_audited(
    const struct postgres *pg, u128 *ret_sum, uint64_t *ret_keys);
/* Row i (from 0) of the ledger.  0, or -1 if there is no such row. */
int statements_audited_row(const struct postgres *pg, size_t i,
    struct id *ret_consumer, uint64_t *ret_seq);

#endif
