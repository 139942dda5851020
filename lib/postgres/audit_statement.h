/*
 * The statement of incr-audit.  Calls and results as in statements.h.
 *
 * It is about several queues of one database: those of all shards.
 */
#ifndef INCR_AUDIT_STATEMENT_H
#define INCR_AUDIT_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/u128.h"
#include "postgres/postgres.h"
#include "record/id.h"

enum {
	AUDIT_STATEMENT_QUEUES = 2048, /* at most */
	AUDIT_STATEMENT_DIGITS = 36    /* of a count */
};

/* Reads, in one snapshot, the sum of all keys, or of one if key is not NULL,
 * and the ledger of queues, whose names are separated by single spaces. */
int audit_statement_call(
    struct postgres *pg, const char *queues, const struct id *key);
/* The same, of all keys, and the counts of n keys (at least one), which stand
 * stride bytes apart. */
int audit_statement_call_keys(struct postgres *pg, const char *queues,
    const struct id *first, size_t stride, size_t n);

/* Result: the sum and the number of keys, and of each of the n queues the lines
 * of its rows in the ledger.  0, or -1 if a sum is not a whole number that
 * fits. */
struct audit_statement_sums {
	u128 sum;
	uint64_t keys;
};
int audit_statement_sums(const struct postgres *pg,
    struct audit_statement_sums *ret, uint64_t *ret_lines, size_t n);

/* Result: row i (from 0) of the ledger, of queue number *ret_queue (from 0). 0,
 * or -1 if there is no such row. */
int audit_statement_row(const struct postgres *pg, size_t i, size_t *ret_queue,
    struct id *ret_consumer, uint64_t *ret_seq);

/* Result of audit_statement_call_keys: row i, behind those of the ledger. */
enum audit_statement_count {
	AUDIT_STATEMENT_COUNT,
	AUDIT_STATEMENT_NO_COUNT, /* there is no such row */
	AUDIT_STATEMENT_NO_NUMBER /* no whole number of that many digits */
};
enum audit_statement_count audit_statement_count(
    const struct postgres *pg, size_t i, struct id *ret_key, u128 *ret_count);

#endif
