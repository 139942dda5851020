/*
 * What was committed and is still to be acknowledged in Redis (layer 2): a
 * queue of ranges of batches with their bad lines.  Pure.
 */
#ifndef INCR_ACK_QUEUE_H
#define INCR_ACK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "flush/window.h"
#include "queue/queue.h"
#include "record/id.h"

enum {
	RECEIPTS_MAX = 64,
	RECEIPTS_SEQS = 100,     /* batches of one acknowledgement */
	RECEIPTS_REJECTS = 10000 /* bad lines of one, if several batches */
};

struct receipt {
	struct id consumer, self;
	uint64_t next, last; /* batches still to be acknowledged */
	struct buf rejects;  /* struct queue_reject, of these */
	int64_t opened_ms;   /* of its window */
};

/* All zero: empty. */
struct receipts {
	struct receipt ring[RECEIPTS_MAX];
	size_t first, n;
};

/* No more may be added: Redis must take some first. */
bool receipts_full(const struct receipts *r);

/* Adds all batches of w and takes its rejects. */
void receipts_add(struct receipts *r, struct window *w);

/* Adds one batch that was in the table before.  0, or -1 if memory is
 * gone. */
int receipts_add_batch(struct receipts *r, const struct id *consumer,
    const struct id *self, uint64_t seq, const struct batch *b);

/* The next part of the oldest (there must be one), valid until
 * receipts_done. */
struct receipts_part {
	const struct id *consumer;
	uint64_t seqs[RECEIPTS_SEQS];
	size_t n;
	const struct queue_reject *rejects;
	size_t n_rejects;
};
void receipts_part(const struct receipts *r, struct receipts_part *ret);

/* That part was acknowledged. */
void receipts_done(struct receipts *r, const struct receipts_part *part);

/* Receipt i, the oldest is 0. */
const struct receipt *receipts_at(const struct receipts *r, size_t i);

void receipts_free(struct receipts *r);

#endif
