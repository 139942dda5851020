/*
 * Where everything is that a queue and its table hold (layer 2), exactly,
 * while it moves from one place to the next.
 *
 *	ready -> taken -> table            rejected
 *	            \-> counted -> gone
 *
 * Redis is looked at in one moment, then Postgres in one.  Nothing that was
 * taken after the first moment may be in the table of the second (then
 * what was ready would be counted twice), and what was taken before is in
 * the table or not, as the ledger says.  Batches never change, so they may
 * be read before or after; ready and rejected keep their oldest ends as
 * long as nothing is taken.  If something was, all is looked at again.
 *
 * Memory: a part of a list, and some bytes per batch and row of the ledger.
 */
#ifndef INCR_AUDIT_H
#define INCR_AUDIT_H

#include <stdint.h>

#include "inspect/deadletter.h"
#include "inspect/snapshot.h"
#include "postgres/postgres.h"
#include "queue/queue.h"
#include "record/id.h"

enum { AUDIT_ROUNDS = 50 };

struct audit {
	struct queue *q; /* these are borrowed */
	struct postgres *pg;
	const char *queue;
	const struct id *key; /* only this one; NULL: all */
	int64_t wait_ms;      /* for a service, each time */

	/* The result. */
	u128 table;
	uint64_t keys;
	struct deadletter_tally taken,
	    counted; /* batches that are not, and are, in it */
	struct deadletter_tally ready, rejected;
	uint64_t missing; /* batches that are nowhere */

	/* The inside: all zero. */
	struct snapshot holdings;
	struct snapshot_rows earlier, ledger;
	struct buf scratch;
};

enum audit_state {
	AUDIT_DONE,
	AUDIT_MOVING, /* something moved in every round */
	AUDIT_REDIS,  /* queue_status; AUDIT_REDIS_FAULT: configuration */
	AUDIT_REDIS_FAULT,
	AUDIT_POSTGRES, /* postgres_why, which may be NULL: no answer */
	AUDIT_POSTGRES_FAULT,
	AUDIT_NO_NUMBER, /* the sum of the table is none */
	AUDIT_MEMORY
};

enum audit_state audit_run(struct audit *a);
void audit_free(struct audit *a);

#endif
