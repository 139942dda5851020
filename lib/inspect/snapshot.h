/*
 * What consumers held at one moment (layer 2), and what the ledger says of
 * it.  Pure, but for holdings_take.
 */
#ifndef INCR_SNAPSHOT_H
#define INCR_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/deadletter_tally.h"
#include "queue/queue.h"
#include "record/id.h"

/* Numbers of consumers, sorted by id: the last batches that were taken, or
 * that are in the table. */
struct holdings_rows {
	struct holdings_row {
		struct id consumer;
		uint64_t seq;
	} * list; /* n of them; owned */
	size_t n;
};

struct holdings_batch {
	struct id consumer;
	uint64_t seq, length;
	bool known; /* tally is what is in it: batches never change */
	struct tally tally;
};

/* All zero: nothing.  Owned by whoever declares it. */
struct holdings {
	uint64_t ready, rejected;
	struct holdings_rows last; /* of each registered consumer */
	struct holdings_batch *batches;
	size_t n_batches;
};

/* Copies what queue_survey told, and the tallies of batches that *h had
 * before.  0, or -1 if memory is gone: *h is empty then. */
int holdings_take(struct holdings *h, const struct queue *q);
void holdings_free(struct holdings *h);

/* To be called when rows were filled in. */
void holdings_sort(struct holdings_rows *rows);
/* The number of a consumer, 0 if it has none. */
uint64_t holdings_seq(
    const struct holdings_rows *rows, const struct id *consumer);
bool holdings_has(const struct holdings_rows *rows, const struct id *consumer);

/* Was nothing taken between before and after, and no list made shorter? */
bool holdings_rest(const struct holdings *before, const struct holdings *after);

/*
 * Did the ledger stand, as it was read after h, at nothing that was taken
 * after h?  Then each batch of h is either in the table of the same moment,
 * or it is not, and what was ready is not.  earlier: the ledger as it was
 * read before h, for consumers that are no longer registered.
 */
bool holdings_precede(const struct holdings *h,
    const struct holdings_rows *earlier, const struct holdings_rows *ledger);

/* How many batches were taken, are not in the table and not in Redis. */
uint64_t holdings_missing(
    const struct holdings *h, const struct holdings_rows *ledger);

#endif
