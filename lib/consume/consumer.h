/*
 * A consumer of the queue (layer 2): under ids of its own it registers,
 * renews, takes, adopts, and puts what it got into a stream.
 *
 * It makes one call to Redis at a time and never blocks.  The loop:
 *
 *	deadline = consumer_wait(c, &pfd);
 *	... io_poll, also for the output ...
 *	consumer_step(c, pfd.revents), stream_write(&c->stream, fd)
 *
 * until c->left and the stream is written.  Unwritten output holds back the
 * next batch, never a renewal.
 */
#ifndef INCR_CONSUMER_H
#define INCR_CONSUMER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "consume/adopted.h"
#include "consume/stream.h"
#include "queue/queue.h"
#include "record/id.h"

/* What Redis may be asked for; in the order of precedence.  What is rare
 * comes first, or a backlog would starve it. */
enum consumer_call {
	CONSUMER_REGISTER,
	CONSUMER_RENEW,
	CONSUMER_ADOPT,
	CONSUMER_READ,
	CONSUMER_TAKE,
	CONSUMER_MEASURE,
	CONSUMER_NO_CALL
};

enum consumer_phase {
	CONSUMER_NAMELESS, /* no id that Redis still knows: registers one */
	CONSUMER_TAKING,   /* registered, its stream is begun */
	CONSUMER_LEAVING   /* the stream is complete; still renews */
};

struct consumer {
	/* Set before the first step: */
	struct queue *queue;    /* borrowed */
	const char *queue_name; /* borrowed */
	uint64_t batch_max;     /* payloads in one batch */
	bool once;              /* adopt, take what is ready now, leave */
	bool measure;           /* keep lengths up to date */
	/* Set at any time: */
	bool stop; /* take nothing more, leave */

	/* To be read: */
	enum consumer_phase phase;
	struct stream stream;
	struct queue_lengths lengths; /* about a second old */
	int64_t trouble_ms; /* clock_ms() since Redis has done nothing for us
			     * that was wanted; 0: all is well */
	int64_t full_ms; /* once: clock_ms() since a batch was refused because
			  * too many are not acknowledged, and none was since;
			  * 0: nothing is refused */

	/* Its own: */
	enum consumer_call call;          /* under way */
	int64_t due_ms[CONSUMER_NO_CALL]; /* not before */
	struct id candidate;              /* being registered */
	uint64_t run;                     /* of Redis, when it was */
	struct adopted orphans;
	struct id renewed[1 + ADOPTED_MAX]; /* asked for; ours is first */
	size_t n_renewed;
	uint64_t left; /* once: payloads still to be taken */
	bool measured; /* left is known */
	bool orphaned; /* once: another look for orphans is worth it */
	struct backoff refused;
};

/* Clears c; the members to be set come next. */
void consumer_init(struct consumer *c);
void consumer_free(struct consumer *c);

/* As queue_wait: what to poll for, and when to step even without it. */
int64_t consumer_wait(const struct consumer *c, struct pollfd *ret_pfd);

/*
 * Does what can be done now.  QUEUE_FAULT: of no use (queue_status).
 * QUEUE_DOWN, QUEUE_LOST or QUEUE_REFUSED: trouble, which passes or not.
 * -1 (memory is gone), else 0, with *ret_state.
 */
int consumer_step(
    struct consumer *c, short revents, enum queue_state *ret_state);

#endif
