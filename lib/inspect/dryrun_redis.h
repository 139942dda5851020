/*
 * The dry run of whoever uses a queue: connects as the programs do, asks, and
 * changes nothing; the scripts that they load are all that is left in Redis.
 */
#ifndef INCR_DRYRUN_REDIS_H
#define INCR_DRYRUN_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/findings.h"
#include "queue/queue_look.h"
#include "record/id.h"

enum { DRYRUN_WAIT_MS = 5000 }; /* for a service, unless told */

struct dryrun_redis {
	const char *url, *queue;
	enum queue_user user;
	const uint64_t *replicas; /* NULL: none told */
	bool replicates;          /* the program takes --replicas */
	bool sharded;             /* it takes --shards: these are looked at */
	uint64_t shards;          /* 0: none told */
	int64_t wait_ms;          /* in all */
};

/* Adds what is found.  *ret_database: which database counts the queue, nil if
 * none does or that could not be asked. */
void dryrun_redis(
    struct findings *f, const struct dryrun_redis *d, struct id *ret_database);

#endif
