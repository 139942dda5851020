/*
 * What was committed and is still to be acknowledged in Redis (layer 2): a
 * queue of ranges of batches with their bad lines.  Pure.
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
	ACK_QUEUE_MAX = 64,
	ACK_QUEUE_SEQS = 100,     /* batches of one acknowledgement */
	ACK_QUEUE_REJECTS = 10000 /* bad lines of one, if several batches */
};

struct ack {
	struct id consumer, self;
	uint64_t next, last; /* batches still to be acknowledged */
	struct buf rejects;  /* struct queue_reject, of these */
	int64_t opened_ms;   /* of its window */
};

/* All zero: empty. */
struct ack_queue {
	struct ack ring[ACK_QUEUE_MAX];
	size_t first, n;
};

/* Adds all batches of w and takes its rejects. */
void ack_queue_add(struct ack_queue *r, struct window *w);

/* Adds one batch that was in the table before.  0, or -1 if memory is
 * gone. */
int ack_queue_add_batch(struct ack_queue *r, const struct id *consumer,
    const struct id *self, uint64_t seq, const struct batch *b);

/* The next part of the oldest (there must be one), valid until
 * ack_queue_done. */
struct ack_queue_part {
	const struct id *consumer;
	uint64_t seqs[ACK_QUEUE_SEQS];
	size_t n;
	const struct queue_reject *rejects;
	size_t n_rejects;
};
void ack_queue_part(const struct ack_queue *r, struct ack_queue_part *ret);

/* That part was acknowledged. */
void ack_queue_done(struct ack_queue *r, const struct ack_queue_part *part);

/* Receipt i, the oldest is 0. */
const struct ack *ack_queue_at(const struct ack_queue *r, size_t i);

void ack_queue_free(struct ack_queue *r);

#endif
