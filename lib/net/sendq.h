/*
 * Bytes for a socket, kept while it takes no more.
 */
#ifndef INCR_SENDQ_H
#define INCR_SENDQ_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Sends what is left from before, then what is in more, as far as it goes
 * without blocking; keeps the rest in *left, which is NULL when there is none
 * and otherwise belongs to the caller.  The number of bytes sent, -1 if
 * the socket failed or there is no memory.
 */
int64_t sendq_send(struct buf **left, struct buf *more, int fd);

size_t sendq_len(const struct buf *left);

/* Drops what is left. */
void sendq_free(struct buf **left);

#endif
