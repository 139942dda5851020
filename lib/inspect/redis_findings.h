/*
 * What is to be said of a Redis and of the queue in it.  Pure.  What makes a
 * Redis unfit for the queue is redis/server_info.h's, and was judged before.
 */
#ifndef INCR_REDIS_FINDINGS_H
#define INCR_REDIS_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/findings.h"

struct redis_facts {
	const char *info;        /* the reply to INFO */
	const char *appendfsync; /* settings; NULL: not known */
	const char *save;
	const char *refused; /* why they are not */
	uint64_t replicas;   /* that must have what counts */
	int64_t now_us;      /* Unix time here when INFO was answered, */
	int64_t wait_us;     /* and how long that took */
	int64_t server_expires, own_expires; /* session.h */
};

void redis_findings(struct findings *f, const struct redis_facts *r);

/* The lengths of a queue, and who works on it. */
struct queue_facts {
	const char *name;
	uint64_t ready, unacked, rejected, alive;
	bool publishes; /* whoever asks: needs somebody to drain */
};

void redis_findings_queue(struct findings *f, const struct queue_facts *q);

#endif
