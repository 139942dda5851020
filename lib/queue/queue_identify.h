/*
 * Which database counts a queue, and what its ledger must say: the totals.
 *
 * For each queue Redis adds up the payloads that are acknowledged, in the same
 * steps in which they are (acknowledge.lua, restore.lua), and an incr_ledger
 * adds up the lines that are counted.  From the moment at which a database is
 * noted:
 *
 *	lines of the ledger = base + acknowledged
 *		+ payloads of unacknowledged batches that are in the ledger
 *
 * More lines: Redis went back, and does not know that it gave them away.
 * Fewer: the database went back.  Where base is not known nothing is said.
 *
 * What a publisher was told to be pushed, and a Redis that went back lacks, is
 * added up as missed (introduce.lua): it is lost, but for what was counted.
 */
#ifndef INCR_QUEUE_IDENTIFY_H
#define INCR_QUEUE_IDENTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "record/id.h"

struct queue;

/* What a ledger has of a queue, read while nothing could be counted there. */
struct queue_ledger {
	bool known; /* else nothing below */
	bool rows;  /* it has any */
	int64_t lines;
};

/*
 * Says which database counts the queue, one for ever: QUEUE_NOTE notes this
 * one if none is, QUEUE_ADOPT notes it in place of another one, QUEUE_LOOK
 * changes nothing.  ledger, of that database, is where the totals begin.
 */
enum queue_identity { QUEUE_NOTE, QUEUE_ADOPT, QUEUE_LOOK };
int queue_identify(struct queue *q, const struct id *database,
    enum queue_identity how, const struct queue_ledger *ledger);

/* If this database is noted, makes base the beginning of its totals, and takes
 * missed off the number of missed messages. */
int queue_settle(
    struct queue *q, const struct id *database, int64_t base, uint64_t missed);

/* The result of both. */
struct queue_identified {
	bool noted;         /* one was noted before the call: */
	struct id database; /* nil if what is noted is no id */
};
const struct queue_identified *queue_identified(const struct queue *q);

/* Part of a survey (queue.h). */
struct queue_totals {
	bool known; /* the base */
	int64_t base, acknowledged;
	uint64_t missed;    /* see above */
	struct id database; /* nil: none */
};

#endif
