/*
 * What consumers held at one moment (layer 2), and what the ledger says of
 * it.  Pure, but for snapshot_take.
 */
#ifndef INCR_SNAPSHOT_H
#define INCR_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/deadletter.h"
#include "queue/queue.h"
#include "record/id.h"

/* Numbers of consumers, sorted by id: the last batches that were taken, or
 * that are in the table. */
struct snapshot_rows {
	struct snapshot_row {
		struct id consumer;
		uint64_t seq;
	} * list; /* n of them; owned */
	size_t n;
};

struct snapshot_batch {
	struct id consumer;
	uint64_t seq, length;
	bool known; /* tally is what is in it: batches never change */
	struct deadletter_tally tally;
};

/* All zero: nothing.  Owned by whoever declares it. */
struct snapshot {
	uint64_t ready, rejected;
	struct snapshot_rows last; /* of each registered consumer */
	struct snapshot_batch *batches;
	size_t n_batches;
};

/* Copies what queue_survey told, and the tallies of batches that *h had
 * before.  0, or -1 if memory is gone: *h is empty then. */
int snapshot_take(struct snapshot *h, const struct queue *q);
void snapshot_free(struct snapshot *h);

/* To be called when rows were filled in. */
void snapshot_sort(struct snapshot_rows *rows);
/* The number of a consumer, 0 if it has none. */
uint64_t snapshot_seq(
    const struct snapshot_rows *rows, const struct id *consumer);
bool snapshot_has(const struct snapshot_rows *rows, const struct id *consumer);

/* Was nothing taken between before and after, and no list made shorter? */
bool snapshot_rest(const struct snapshot *before, const struct snapshot *after);

/*
 * Did the ledger stand, as it was read after h, at nothing that was taken
 * after h?  Then each batch of h is either in the table of the same moment,
 * or it is not, and what was ready is not.  earlier: the ledger as it was
 * read before h, for consumers that are no longer registered.
 */
bool snapshot_precede(const struct snapshot *h,
    const struct snapshot_rows *earlier, const struct snapshot_rows *ledger);

/* How many batches were taken, are not in the table and not in Redis. */
uint64_t snapshot_missing(
    const struct snapshot *h, const struct snapshot_rows *ledger);

#endif
