/*
 * Adds up what a queue and its table hold, exactly, while increments move
 * from one place to the next.
 *
 *	ready -> taken -> table            rejected
 *	            \-> counted -> gone
 *
 * Redis is read as of one moment, then Postgres as of one.  No batch that was
 * taken after the first moment may be in the table of the second (else what
 * was ready would be counted twice); a batch taken before it is in the table
 * or not, as the ledger says.  Batches never change, so they may be read
 * before or after.
 *
 * The lists do change, at any place: payloads are taken, dead letters are
 * republished or dropped, others come, and a length does not tell.  So each
 * list is read before the moment, what is newer than that is read in the
 * moment itself, and afterwards the list is read again: what was read before
 * must have the same contents, by their hash.  If it has not, or if anything
 * was taken, or if another server answers, all is read again.
 *
 * Shards are queues of their own: nothing moves from one to another but by
 * incr-rejected.  Each is read as of a moment of its own; the table is one
 * moment of each database, after all of them, and what holds of one queue holds
 * of each: no batch that was taken after its moment may be in the table.  A
 * queue of which that is still so when the table is read again is not.  Of a
 * queue counts the ledger of the database that Redis names for it.
 *
 * With an expectation, the same is known of each of its keys: the counts of the
 * table are read with the ledger, in one statement, and the increments of a
 * batch are kept until the ledger says where they are.
 *
 * Memory: a page of a list, some bytes per batch and row of the ledger, and
 * what expectation.h says: about 200 bytes a key while its count is read.
 */
#ifndef INCR_AUDIT_H
#define INCR_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/u128.h"
#include "inspect/deadletter.h"
#include "inspect/expectation.h"
#include "inspect/snapshot.h"
#include "postgres/postgres.h"
#include "queue/queue.h"
#include "record/id.h"

enum { AUDIT_ROUNDS = 50, AUDIT_DATABASES_MAX = 64 };

/* The rows of a queue in the ledger of one database, and their lines. */
struct audit_rows {
	struct snapshot_rows earlier, ledger;
	uint64_t lines; /* of ledger */
};

/* A queue; of a queue with shards, each of them, and what is called as it is
 * alone. */
struct audit_queue {
	/* The owner's, all borrowed. */
	struct queue *q;
	const char *name;

	/* The result, after AUDIT_DONE. */
	struct deadletter_tally taken;   /* batches that are not in the table */
	struct deadletter_tally counted; /* batches that are; what is no
					  * increment in them is in taken */
	struct deadletter_tally ready, rejected;
	/* Lines of the ledger that the totals of Redis do not explain, less
	 * than 0 if there are fewer; if it is known where they began, and this
	 * is the database. */
	bool compared;
	int64_t surplus;
	uint64_t missed;  /* messages that publishers miss in Redis */
	uint64_t missing; /* batches that are nowhere */
	uint64_t unknown; /* batches of which the table knows, Redis does not */

	/* The module's: all zero. */
	bool settled; /* fits the ledger, as the last round read it */
	uint64_t run; /* of Redis, that snapshot is of */
	struct snapshot snapshot;
	struct audit_rows *rows; /* in each database */
	size_t counted_in;       /* which of these counts it */
};

struct audit_database {
	struct postgres *pg; /* borrowed */
	u128 table;          /* sum of the table */
	uint64_t keys;       /* of the table */
};

struct audit {
	/* The owner's, all borrowed. */
	struct audit_queue *queues;
	size_t n_queues;
	struct audit_database *databases;
	size_t n_databases;
	const struct id *key;            /* count only this one; NULL: all */
	int64_t wait_ms;                 /* for a service, each time */
	struct expectation *expectation; /* NULL: none; not with key */

	/* The module's: all zero. */
	struct hash_seed seed;
	char *names;            /* of the queues, separated by spaces */
	size_t at, at_database; /* what was read last */
	struct buf scratch;
};

enum audit_state {
	AUDIT_DONE,
	AUDIT_MOVING,         /* something moved in every round */
	AUDIT_REDIS,          /* queue_status of queues[at] says why */
	AUDIT_REDIS_FAULT,    /* the same, and it is configuration */
	AUDIT_POSTGRES,       /* postgres_status of databases[at_database] says
			       * why; empty: no answer */
	AUDIT_POSTGRES_FAULT, /* the same, and it is configuration */
	AUDIT_ELSEWHERE,      /* another database counts queues[at] */
	AUDIT_NO_NUMBER,      /* the table's sum, or a count, is no u128 */
	AUDIT_MEMORY          /* ENOMEM */
};

enum audit_state audit_run(struct audit *a);

/* After AUDIT_DONE: lets the totals begin where there is no surplus, and
 * nothing missed. */
enum audit_state audit_settle(struct audit *a);

/* The tables of all databases together. */
struct audit_table_sum {
	u128 sum;
	uint64_t keys;
};
struct audit_table_sum audit_table(const struct audit *a);
/* The result of all queues together, names and the like apart.  The surplus is
 * the sum of those of which it is known, if it is of each that is counted. */
struct audit_queue audit_queues(const struct audit *a);
/* Messages that are taken, ready and rejected, and their sum with the table. */
struct deadletter_tally audit_total(const struct audit *a);

/* Frees what the module has allocated. */
void audit_free(struct audit *a);

#endif
