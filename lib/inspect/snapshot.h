/*
 * What the queue and its consumers held at one moment, and whether it agrees
 * with another moment and with the ledger.  Pure, but for snapshot_take.
 */
#ifndef INCR_SNAPSHOT_H
#define INCR_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/deadletter.h"
#include "inspect/expectation.h"
#include "queue/queue.h"
#include "record/id.h"

/* The last batch of each consumer, sorted by consumer: that it took, or that
 * is in the ledger.  All zero: empty. */
struct snapshot_rows {
	struct snapshot_row {
		struct id consumer;
		uint64_t seq;
	} * list; /* n of them; the owner frees */
	size_t n;
};

/* A batch in Redis. */
struct snapshot_batch {
	struct id consumer;
	uint64_t seq, length; /* length: payloads */
	bool known;           /* tally has been read */
	struct deadletter_tally tally;
	struct expectation_log log;
};

/* All zero: empty. */
struct snapshot {
	uint64_t ready, rejected;  /* lengths of these lists */
	struct snapshot_rows last; /* of each registered consumer */
	struct snapshot_batch *batches;
	size_t n_batches;
	struct queue_totals totals;
};

/* Replaces *s by what the last call of q, a queue_survey, has returned; batches
 * that *s had before keep their tallies and logs.  0, or -1 with errno ENOMEM:
 * *s is empty then.  snapshot_free frees. */
int snapshot_take(struct snapshot *s, const struct queue *q);
void snapshot_free(struct snapshot *s);

/* Sorts rows that were filled in; the functions below need that. */
void snapshot_sort(struct snapshot_rows *rows);
/* The batch of a consumer, 0 if it has no row. */
uint64_t snapshot_seq(
    const struct snapshot_rows *rows, const struct id *consumer);
bool snapshot_has(const struct snapshot_rows *rows, const struct id *consumer);

/* Was no batch taken between before and after, and no list made shorter? */
bool snapshot_is_stable(
    const struct snapshot *before, const struct snapshot *after);

/*
 * Does the ledger, as it was read after s, name no batch that was taken after
 * s?  Then each batch of s is in the table of that moment or not, as the
 * ledger says, and nothing of what was ready is.  earlier: the ledger as it
 * was read before s, for consumers that are no longer registered, or of which
 * a Redis that went back knows less than the ledger.
 */
bool snapshot_fits_ledger(const struct snapshot *s,
    const struct snapshot_rows *earlier, const struct snapshot_rows *ledger);

/* Counts batches that are in the ledger, and that Redis does not know to be
 * taken: it went back. */
uint64_t snapshot_unknown(
    const struct snapshot *s, const struct snapshot_rows *ledger);

/* Counts batches that were taken and are neither in the ledger nor in
 * Redis. */
uint64_t snapshot_missing(
    const struct snapshot *s, const struct snapshot_rows *ledger);

#endif
