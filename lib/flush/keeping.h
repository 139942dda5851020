/*
 * The bound of kept batches (--keep): when Redis is to let them give way, and
 * what is said of it.  Pure but for queue_trim.
 *
 * The increments of a kept batch are the table's.  A batch that gave way is
 * missed only if Postgres goes back, and then it is told as lost
 * (going_back.h).
 *
 * A call comes behind each acknowledgement, and twice a second while anything
 * is kept: what is published fills the memory meanwhile, also while nothing is
 * acknowledged.
 */
#ifndef INCR_KEEPING_H
#define INCR_KEEPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "queue/queue.h"

enum {
	KEEPING_MS = 500,       /* from call to call */
	KEEPING_NONE_MS = 60000 /* the same, while nothing is kept */
};

/* All zero: a call is due. */
struct keeping {
	uint64_t high_water; /* of incr-publish, messages; 0: by Redis's
			      * maxmemory.  Set once. */
	int64_t due_ms;      /* clock_ms() of the next call; IO_FOREVER while
			      * one is a task */
	struct queue_trimmed last; /* its answer */
	uint64_t batches;          /* gave way so far, by calls from here */
	bool said;                 /* that batches give way */
};

/* A batch was acknowledged, to be kept. */
void keeping_add(struct keeping *k);
/* Begins a call.  0, or -1 as queue_trim. */
int keeping_trim(const struct keeping *k, struct queue *q);
/* Its answer. */
void keeping_trimmed(
    struct keeping *k, const struct queue_trimmed *t, int64_t now_ms);

/* Says once that batches gave way before their time, and once that all are
 * kept for their time again.  False: nothing is to be said. */
bool keeping_news(
    struct keeping *k, const char *queue, char ret_why[REASON_MAX]);

#endif
