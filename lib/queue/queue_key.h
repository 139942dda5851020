/*
 * The names of a queue's keys: those of adjust/rmq, and our own beside them.
 *
 *	rmq::queue::[Q]::ready    on a single Redis
 *	rmq::queue::{Q}::ready    on a Redis Cluster
 *
 * The braces are adjust/rmq's, too (its cluster layout).  What stands between
 * them is all that is hashed, so all keys of a queue are in one slot, and one
 * script may use them.  A queue's name has no braces itself.  Pure.
 */
#ifndef INCR_QUEUE_KEY_H
#define INCR_QUEUE_KEY_H

#include <stdbool.h>
#include <stddef.h>

enum queue_key_owner { QUEUE_KEY_RMQ, QUEUE_KEY_INCR };

/* The set of the names of all queues, on a cluster in a slot of its own. */
#define QUEUE_KEY_NAMES "rmq::queues"

/* Writes OWNER::queue::[QUEUE]::REST, in braces on a cluster, to ret, which has
 * room for all of it. */
void queue_key(char *ret, size_t size, enum queue_key_owner owner,
    const char *queue, bool cluster, const char *rest);

#endif
