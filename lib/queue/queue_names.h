/*
 * Adds the name of a queue to rmq::queues of a Redis Cluster, where it is
 * another node's than the queue: by a connection of its own, which nobody waits
 * for.  adjust/rmq and people look for names there; nothing depends on it.
 *
 * On a single Redis the scripts do it.
 */
#ifndef INCR_QUEUE_NAMES_H
#define INCR_QUEUE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "redis/session.h"

struct queue_names {
	struct session *session; /* NULL: nothing to be added */
	bool sent;
};

/* The name is to be added; url is borrowed until that is done.  It is done once
 * the node has answered whatever it may be, or its fault lasts. */
void queue_names_begin(struct queue_names *n, const char *url);

/* Goes on, without waiting.  Call it until `due_ms`, which it returns, is
 * IO_FOREVER; queue is the name. */
int64_t queue_names_step(struct queue_names *n, const char *queue);

/* Gives up, but not before `wait_ms`: for who leaves and has nothing else to
 * do. */
void queue_names_finish(
    struct queue_names *n, const char *queue, int64_t wait_ms);
void queue_names_end(struct queue_names *n);

#endif
