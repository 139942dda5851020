/*
 * The calls of --check: they read, and change nothing.  The commands are not
 * for queue_repeat.  For the rest see queue.h.
 */
#ifndef INCR_QUEUE_LOOK_H
#define INCR_QUEUE_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "record/id.h"

struct queue;
struct redis_reply;

/* Whose commands are asked for. */
enum queue_user { QUEUE_PUBLISHES, QUEUE_CONSUMES, QUEUE_FLUSHES };

/* Looks at the queue, and which commands of the scripts that this program calls
 * its user of Redis may not say. */
int queue_look(struct queue *q, enum queue_user user);

struct queue_looked {
	uint64_t ready, unacked /* batches */, rejected;
	uint64_t consumers, alive; /* that renews both its marks */
	struct id database;        /* nil: none is noted, or no id */
	size_t n_refused;
	const struct redis_reply *reply; /* of queue_looked_refused */
};
const struct queue_looked *queue_looked(const struct queue *q);
/* Command i (from 0) that is refused. */
const char *queue_looked_refused(const struct queue_looked *l, size_t i);

/* INFO, as server_info.h takes it. */
int queue_info(struct queue *q);
const char *queue_informed(const struct queue *q);

/* CONFIG GET of what is not in INFO; a user may be refused it. */
int queue_settings(struct queue *q);
/* The value of a setting; NULL if there is none. */
const char *queue_setting(const struct queue *q, const char *name);

/* How many replicas must have what counts: told, or as the queue has noted. */
uint64_t queue_replicas(const struct queue *q);

#endif
