/*
 * What is being sent over a connection to Redis, and how far.  It borrows the
 * bytes.
 */
#ifndef INCR_SENDING_H
#define INCR_SENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/reason.h"
#include "redis/redis.h"

/* All zero: nothing. */
struct sending {
	struct iovec part[REDIS_PARTS];
	size_t done, handed; /* bytes of all, redis.h */
};

/* From its beginning; NULL: nothing. */
void sending_start(struct sending *x, const struct buf *b);

/* The same, and the other parts behind it. */
void sending_start_parts(struct sending *x, const struct buf *b,
    const struct iovec more[REDIS_PARTS - 1]);

/* Sends as many as go.  0 with *ret_moved: did any go?  -1 with the reason. */
int sending_step(struct sending *x, struct redis *r, bool *ret_moved,
    char ret_why[REASON_MAX]);

/* Is there more to be sent? */
bool sending_unsent(const struct sending *x);

/* May the server have the last byte? */
bool sending_handed(const struct sending *x);

#endif
