/*
 * A consumer registers under an id of its own, renews it, takes batches,
 * adopts those of consumers that are gone, and adds them to a stream.
 *
 * It makes one call to Redis at a time and never blocks.  The loop:
 *
 *	deadline = consumer_wait(c, &pfd);
 *	... io_poll, also for the output ...
 *	consumer_step(c, pfd.revents), stream_write(&c->stream, fd)
 *
 * until c->phase is CONSUMER_LEAVING and the stream is written.  Unwritten
 * output holds back the next batch, never a renewal.
 */
#ifndef INCR_CONSUMER_H
#define INCR_CONSUMER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "consume/adopted.h"
#include "consume/holders.h"
#include "consume/mark_watch.h"
#include "consume/stream.h"
#include "queue/queue.h"
#include "queue/queue_gauges.h"
#include "record/id.h"

/* The calls, in the order of precedence.  What is rare comes first, or a
 * backlog would starve it. */
enum consumer_call {
	CONSUMER_REGISTER,
	CONSUMER_RENEW,
	CONSUMER_ADOPT,
	CONSUMER_HOLDERS,
	CONSUMER_READ,
	CONSUMER_TAKE,
	CONSUMER_MEASURE,
	CONSUMER_NO_CALL
};

enum consumer_phase {
	CONSUMER_UNREGISTERED, /* no id that Redis still knows: registers one */
	CONSUMER_TAKING,       /* registered, its stream is begun */
	CONSUMER_ENDING,       /* takes nothing more, and says so in Redis */
	CONSUMER_LEAVING       /* the stream is complete; still renews */
};

struct consumer {
	/* Set before the first step: */
	struct queue *queue;         /* borrowed */
	const char *queue_name;      /* borrowed */
	uint64_t batch_max;          /* payloads in one batch */
	bool own_keys;               /* keys of other shards are dead letters */
	bool once;                   /* adopt, take what is ready now, leave */
	struct queue_gauges *gauges; /* borrowed; NULL: nobody looks at them */
	/* Set at any time: */
	bool stop; /* take nothing more, leave */

	/* To be read: */
	enum consumer_phase phase;
	struct stream stream;
	int64_t trouble_ms; /* clock_ms() since when calls fail, of any
			     * kind; 0: they do not */
	int64_t held_ms;    /* clock_ms() since when each take is refused, as
			     * full or for want of a flush mark; 0: it is not */
	bool unmarked;      /* the last take was refused for that */
	int64_t full_ms;  /* with once: clock_ms() since when a take is refused
			   * because too many batches are unacknowledged, and
			   * none was acknowledged; 0: it is not */
	bool left_holder; /* with once: it leaves although a consumer holds
			   * batches and shows no life */

	/* Its own: */
	enum consumer_call call;          /* under way */
	int64_t due_ms[CONSUMER_NO_CALL]; /* not before */
	int64_t sent_ms;                  /* clock_ms(): the last call */
	struct id candidate;              /* being registered */
	uint64_t run;                     /* of Redis, when it was */
	bool moved; /* the id before it was lost by coming to another */
	struct adopted orphans;
	struct id renewed[1 + ADOPTED_MAX]; /* by the call; its own id first */
	size_t n_renewed;
	bool ended;       /* Redis knows that it leaves, or need not know */
	uint64_t left;    /* with once: payloads still to be taken */
	bool measured;    /* left is known */
	bool measure;     /* the gauges wait for the lengths */
	uint64_t unacked; /* batches, when it was measured */
	bool unsettled;   /* the last take may have a batch that is not in the
			   * stream: it has no reply, or not all of one */
	bool flushed;     /* there was a flush mark of one of its ids */
	bool strict;      /* that was another id: this one needs a mark first */
	int64_t empty_ms; /* clock_ms() since when each take finds nothing; 0:
			   * the last one did not */
	struct mark_watch watch; /* of the flush mark */
	size_t burst;    /* consumers that may still be adopted at this look */
	bool look_again; /* with once: another look may adopt */
	/* With once: the others that hold batches. */
	struct holders holders;
	bool all_live;       /* each was adopted, or lives */
	int64_t doubtful_ms; /* since when one is doubtful; 0: none is */
	unsigned
	    failed; /* bit n: the last call n that is of use had no answer */
	struct backoff refused;
};

/* Clears c; the members to be set come next. */
void consumer_init(struct consumer *c);
void consumer_free(struct consumer *c);

/* As queue_wait: what to poll for, and when to step even without it. */
int64_t consumer_wait(const struct consumer *c, struct pollfd *ret_pfd);

/*
 * Does what can be done now.  0 with *ret_state, which is QUEUE_FAULT if
 * trying again is of no use, QUEUE_DOWN, QUEUE_LOST or QUEUE_REFUSED if calls
 * fail (queue_status says why); or -1 if memory is gone.
 */
int consumer_step(
    struct consumer *c, short revents, enum queue_state *ret_state);

#endif
