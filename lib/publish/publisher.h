/*
 * Brings lines to the queue, each exactly once (layer 2).
 *
 * Lines are added to the box that fills (publisher_box).  What has come
 * together goes to Redis as one batch, under the id of this publisher and the
 * next sequence number, while the next box fills; one batch is in flight at
 * a time.  One that was sent is frozen: it is sent again unchanged until its
 * outcome is known or its time is over.
 *
 * Prints nothing.  Times are clock_ms() values.
 */
#ifndef INCR_PUBLISHER_H
#define INCR_PUBLISHER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/metrics.h"
#include "publish/publish_batch.h"
#include "queue/queue.h"
#include "record/id.h"

struct publisher_settings {
	const char *url, *queue;
	bool echo, tagged;   /* of outbox.h */
	int64_t wait_ms;     /* from a line's arrival; 0: for ever */
	uint64_t window_s;   /* for which tags are remembered */
	uint64_t high_water; /* messages ready at most; 0: as many as take
			      * three quarters of Redis's maxmemory */
	/* Counted up. */
	struct metric *published, *batches, *seconds;
	struct metric *rejected; /* FAULT_COUNT of them */
	/* Called for each line whose tag was used for another increment. */
	void (*reused)(uint64_t line);
};

/* What one takes in Redis; measured: 59 to 78 in canonical form. */
enum { PUBLISHER_MESSAGE_BYTES = 80 };

/* What is known of the batch in flight. */
enum flight {
	FLIGHT_NONE,     /* there is none */
	FLIGHT_WAITING,  /* certainly not in Redis */
	FLIGHT_GREETING, /* the same, while its publisher is introduced */
	FLIGHT_CALLING,  /* its first sending is under way */
	FLIGHT_MAYBE,    /* was sent, not answered: to be sent again */
	FLIGHT_REPEATING /* that is under way */
};

struct publisher {
	struct publisher_settings set;
	struct queue *queue;
	struct publish_batch boxes[2], *flight, *filling;
	struct buf out; /* with echo: answers, dropped by the owner */
	bool failed;    /* a line was answered unavailable or unknown */

	enum flight state;
	struct id id;
	bool introduced;          /* id is */
	uint64_t seq;             /* of the last batch done under id */
	uint64_t run;             /* the Redis that id is for */
	int64_t sent_ms, sent_us; /* the first sending of the flight */
	int64_t retry_ms;         /* no sending before */
	int64_t down_ms;          /* no connection since then; 0: there is */
	bool refused;             /* by the last answer: to be repeated */
	const char *no_room;      /* why the last publish was turned away */
	bool full;                /* it was: no room */
	struct backoff backoff;
	const char *why; /* instead of the queue's */
};

enum publisher_state {
	PUBLISHER_WELL,
	PUBLISHER_WAITING, /* for Redis, longer than a moment: publisher_why */
	PUBLISHER_FAULT,   /* configuration: trying again is of no use */
	PUBLISHER_GAVE_UP, /* without answers to give: publisher_count */
	PUBLISHER_BROKEN,  /* a broken invariant */
	PUBLISHER_NO_MEMORY
};

/* Borrows what settings point to for ever.  0, or -1 with *ret_why if the
 * URL is no good or memory is gone. */
int publisher_open(struct publisher *c,
    const struct publisher_settings *settings, const char **ret_why);
void publisher_close(struct publisher *c);

/* Where lines go, unless it is full.  Another one after every call. */
struct publish_batch *publisher_box(const struct publisher *c);

/* Like queue_wait. */
int64_t publisher_wait(const struct publisher *c, struct pollfd *ret_pfd);

/* Hears what Redis has to say, and answers what has an outcome or has waited
 * for long enough.  Nothing may follow the last four states. */
enum publisher_state publisher_step(
    struct publisher *c, short revents, int64_t now_ms);

/* Sends what there is, if it can go now.  The same states. */
enum publisher_state publisher_send(struct publisher *c, int64_t now_ms);

/* Nothing in flight, nothing filling: all that was added is settled. */
bool publisher_empty(const struct publisher *c);

/* Increments that are not settled; *ret_maybe of them may be in Redis. */
size_t publisher_count(const struct publisher *c, size_t *ret_maybe);

/* Like queue_status. */
const char *publisher_why(const struct publisher *c);

#endif
