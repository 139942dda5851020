/*
 * The latest batches that went through a program, and how many messages each
 * had: so that it can be said how much a Redis that knows fewer of them has
 * lost.  Pure.
 */
#ifndef INCR_BATCH_HISTORY_H
#define INCR_BATCH_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "record/id.h"

enum { BATCH_HISTORY_MAX = 1024 }; /* QUEUE_UNACKED_MAX, and some */

/* All zero: empty. */
struct batch_history {
	struct batch_history_entry {
		struct id consumer;
		uint64_t seq, messages; /* seq 0: none */
	} ring[BATCH_HISTORY_MAX];
	uint64_t n; /* added so far */
};

void batch_history_add(struct batch_history *h, const struct id *consumer,
    uint64_t seq, uint64_t messages);

/* Counts the messages of consumer's batches above `last`, up to `to`.
 * UINT64_MAX if not all of them are known any more. */
uint64_t batch_history_above(const struct batch_history *h,
    const struct id *consumer, uint64_t last, uint64_t to);

/* A Redis that knows less of a consumer than was known: */
struct batch_history_loss {
	struct id consumer;
	uint64_t seq;      /* its last batch */
	bool known;        /* Redis knows the consumer: */
	uint64_t last;     /* its last batch there, a lower one */
	uint64_t messages; /* batch_history_above */
};

/* Says it, "object: reason". */
void batch_history_explain(const struct batch_history_loss *b,
    const char *queue, char ret_why[REASON_MAX]);

#endif
