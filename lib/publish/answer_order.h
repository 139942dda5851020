/*
 * The order in which answers of several sources have to come: a ring that has
 * the source of each line without an answer, oldest first.
 */
#ifndef INCR_ANSWER_ORDER_H
#define INCR_ANSWER_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* All zero: no lines, and no room. */
struct answer_order {
	uint16_t *ring; /* cap of them, a power of two */
	size_t first, n, cap;
};

/* For at most cap lines.  0, or -1 if memory is gone. */
int answer_order_open(struct answer_order *o, size_t cap);
void answer_order_close(struct answer_order *o);

/* The next line, of which there are less than cap, gets its answer from this
 * source. */
void answer_order_add(struct answer_order *o, uint16_t source);

/* Moves the answers that can go, whole lines, from their sources to out.
 * source(ctx, i) is the buffer of source i.  0, or -1 if memory is gone. */
int answer_order_move(struct answer_order *o,
    struct buf *(*source)(void *ctx, uint16_t i), void *ctx, struct buf *out);

#endif
