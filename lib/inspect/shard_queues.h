/*
 * The queues that a queue is made of, for programs that a person types: itself,
 * and, if it has shards, these.  What other programs push to its plain name is
 * there.
 */
#ifndef INCR_SHARD_QUEUES_H
#define INCR_SHARD_QUEUES_H

#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "queue/queue.h"
#include "queue/shards.h"
#include "record/queue_name.h"

struct shard_queues {
	struct shard_queue {
		struct queue *q;
		char name[QUEUE_NAME_MAX + 1];
	} * list;
	size_t n;
	unsigned shards; /* of the queue, at least 1 */
	bool noted;      /* in Redis */
};

/* What one of them is called, and how many there are, of a queue with so many
 * shards: 0 is the plain one.  0, or -1: the name is too long. */
int shard_queues_name(
    const char *queue, unsigned shards, size_t i, char ret[QUEUE_NAME_MAX + 1]);
size_t shard_queues_count(const char *queue, unsigned shards);

/*
 * Opens the queues of name.  told: how many shards it has, 0: as many as it has
 * noted, or one; a name that is a shard's is that one alone, of as many as it
 * or its queue has noted.  Asks Redis, for wait_ms, and notes nothing there.
 * 0, or an exit status with *ret_why, "object: reason": then nothing is open.
 */
int shard_queues_open(struct shard_queues *s, const char *url, const char *name,
    uint64_t told, int64_t wait_ms, char ret_why[REASON_MAX]);

/* Has `queue`, the plain one, note how many shards s has, as publishers do
 * before they note it at a shard.  0, or as above, also if it has another
 * number. */
int shard_queues_note(const struct shard_queues *s, const char *url,
    const char *queue, int64_t wait_ms, char ret_why[REASON_MAX]);

void shard_queues_close(struct shard_queues *s);

#endif
