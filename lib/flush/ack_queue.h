/*
 * Batches that were committed and are still to be acknowledged in Redis: a
 * queue of ranges, each with its bad lines.  Pure.
 */
#ifndef INCR_ACK_QUEUE_H
#define INCR_ACK_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "flush/window.h"
#include "queue/queue.h"
#include "record/id.h"

enum {
	ACK_QUEUE_MAX = 64,       /* ranges */
	ACK_QUEUE_SEQS = 100,     /* batches of one acknowledgement */
	ACK_QUEUE_REJECTS = 10000 /* bad lines of one, if several batches */
};

struct ack {
	struct id consumer, self; /* self owns consumer */
	uint64_t next, last;      /* batches still to be acknowledged */
	struct buf rejects;       /* struct queue_reject, of these batches */
	int64_t opened_ms;        /* of their window */
	int64_t added_ms;
};

/* All zero: empty. */
struct ack_queue {
	struct ack ring[ACK_QUEUE_MAX];
	size_t first, n;
};

/* Adds the batches of w, now, and takes its rejects; q->n is below
 * ACK_QUEUE_MAX. */
void ack_queue_add(struct ack_queue *q, struct window *w, int64_t now_ms);

/* Adds b, now, batch seq of consumer, which was in the table before; q->n is
 * below ACK_QUEUE_MAX.  0, or -1 with errno ENOMEM: q is unchanged. */
int ack_queue_add_batch(struct ack_queue *q, const struct id *consumer,
    const struct id *self, uint64_t seq, const struct batch *b, int64_t now_ms);

/* What one acknowledgement takes from the oldest range: all points into the
 * queue until ack_queue_done. */
struct ack_queue_part {
	const struct id *consumer;
	uint64_t seqs[ACK_QUEUE_SEQS];
	size_t n;
	const struct queue_reject *rejects; /* of seqs, sorted */
	size_t n_rejects;
};

/* The next part; q must not be empty. */
void ack_queue_part(const struct ack_queue *q, struct ack_queue_part *ret_part);

/* part was acknowledged: drops it. */
void ack_queue_done(struct ack_queue *q, const struct ack_queue_part *part);

/* Drops the batches of consumer above row.  No part is under way. */
void ack_queue_drop(
    struct ack_queue *q, const struct id *consumer, uint64_t row);

/* Range i, the oldest is 0; borrowed until the next change of q. */
const struct ack *ack_queue_at(const struct ack_queue *q, size_t i);

/* Empties q and gives its memory back. */
void ack_queue_free(struct ack_queue *q);

#endif
