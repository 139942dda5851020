/*
 * Keeps the number of shards noted at the queue itself, to which the publisher
 * of its shards sends nothing: whoever is told no number asks there.  It is
 * noted anew in a Redis that was replaced.
 */
#ifndef INCR_SHARD_NUMBER_H
#define INCR_SHARD_NUMBER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "publish/publisher.h"
#include "queue/queue.h"

struct shard_number {
	const char *name; /* of the queue */
	unsigned n;
	struct queue *queue;
	bool noted;       /* this number is, as far as is known */
	uint64_t run;     /* the Redis that has it */
	int64_t down_ms;  /* not reached since then; 0: it is, or was noted */
	int64_t retry_ms; /* no call before */
	char why[REASON_MAX];
};

/* The queue, URL and number are those of set.  As queue_open. */
int shard_number_open(struct shard_number *s,
    const struct publisher_settings *set, const char **ret_why);
void shard_number_close(struct shard_number *s);

/* As queue_wait. */
int64_t shard_number_wait(const struct shard_number *s, struct pollfd *ret_pfd);

/* PUBLISHER_WELL, _WAITING while nothing is noted and the Redis has been out of
 * reach for a moment, _NO_MEMORY, or _FAULT: another number is; with s->why. */
enum publisher_state shard_number_step(
    struct shard_number *s, short revents, int64_t now_ms);

#endif
