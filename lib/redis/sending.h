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
	struct iovec part[2];
	size_t done, handed; /* bytes of both, redis.h */
};

/* Both parts from their beginning; b may be NULL, more empty. */
void sending_start(struct sending *x, const struct buf *b, struct iovec more);

/* Sends as many as go.  0 with *ret_moved: did any go?  -1 with the reason. */
int sending_step(struct sending *x, struct redis *r, bool *ret_moved,
    char ret_why[REASON_MAX]);

/* Is there more to be sent? */
bool sending_unsent(const struct sending *x);

/* May the server have the last byte? */
bool sending_handed(const struct sending *x);

#endif
