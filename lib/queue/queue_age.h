/*
 * How old the oldest increment is that waits: in the ready list, or in a batch
 * that is taken and not acknowledged.  Pure.
 *
 * Messages have no time of their own.  But ready is a list that is taken from
 * in the order in which it was filled, and Redis counts what is taken, so each
 * look says how many messages had ever been pushed.  Once as many were taken as
 * had been pushed at some look, all that waits came after it.  What came before
 * the first look came after ready was last known to be empty.
 *
 * So an age is never less than the true one, but for what waited in ready less
 * than two seconds before it was taken, which is not known afterwards.  With a
 * look every second it is at most a second more, or a tenth of the age if that
 * is more; without earlier looks it may be more.
 */
#ifndef INCR_QUEUE_AGE_H
#define INCR_QUEUE_AGE_H

#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"

enum { QUEUE_AGE_LOOKS = 256 };

struct queue_age {
	struct queue_age_look {
		int64_t at_ms;    /* by Redis's clock */
		uint64_t pushed;  /* messages until then */
		int64_t since_ms; /* the oldest in ready came then or later;
				   * at_ms: ready was empty */
	} looks[QUEUE_AGE_LOOKS]; /* in the order of time */
	size_t n;
	uint64_t taken;  /* at the last look */
	uint64_t others; /* messages that other programs took */
};

/* The age in milliseconds at this look, which is added; 0: nothing waits. */
int64_t queue_age_look(struct queue_age *a, const struct queue_lengths *l);

#endif
