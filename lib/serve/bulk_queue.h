/*
 * The requests of many lines that incr-serve has in hand (layer 3): how many
 * there may be, and whose lines go next.
 *
 * Lines are handed to the relay while they are read, and each request waits
 * for its turn: all of them together have at most a quarter of the lines in
 * flight, so that single requests meet a short queue; one has at most
 * WINDOW.  Who has to wait is not read from.
 */
#ifndef INCR_BULK_QUEUE_H
#define INCR_BULK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/conn.h"
#include "serve/backend.h"

struct bulk_queue_options {
	uint64_t max;       /* requests */
	uint64_t max_lines; /* of the relay */
	int64_t wait_ms;    /* for room, then the rest is unavailable */
};

void bulk_queue_use(const struct bulk_queue_options *o);

/* x will be one.  0, or -1 if there are too many, or memory is gone. */
int bulk_queue_begin(struct exchange *x);

/* Bytes of its body; all of it was there; it will not be, see conn.h. */
void bulk_queue_data(struct exchange *x, const char *p, size_t len);
void bulk_queue_end(struct exchange *x);
void bulk_queue_cut(struct exchange *x, const struct response *a);

/* Its client has gone: what was handed on is still waited for. */
void bulk_queue_leave(struct exchange *x);

/* The verdict on one of its lines. */
void bulk_queue_told(struct exchange *x, const struct backend_verdict *v);

/* Hands on what goes now.  Once per turn of the loop, before conn_flush.
 * When it is due again, IO_FOREVER if nothing waits. */
int64_t bulk_queue_tick(int64_t now_ms);

#endif
