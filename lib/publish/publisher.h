/*
 * A publisher sends lines to the queue, each exactly once.
 *
 * Lines are added to the batch that fills (publisher_add).  It goes to
 * Redis under the id of this publisher and the next sequence number, while
 * the next one fills; one batch is in flight at a time.  A batch that was
 * sent is frozen: it is sent again unchanged until its outcome is known or
 * its time is over (batch_state.h).
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
#include "base/reason.h"
#include "publish/batch_list.h"
#include "publish/batch_state.h"
#include "publish/publish_batch.h"
#include "publish/redis_time.h"
#include "publish/wait_limit.h"
#include "queue/queue.h"
#include "queue/queue_gauges.h"
#include "record/id.h"

struct publisher_settings {
	const char *url, *queue;
	unsigned shards;     /* that the queue, or the one whose shard it is,
			      * has; 0: as it has noted, or one */
	const bool *decided; /* of a shard: has its queue noted the number?
			      * Before that no shard notes it.  Else NULL */
	bool echo, tagged;   /* of publish_batch.h */
	int64_t wait_ms;     /* from a line's arrival, or from the first failed
			      * try of an outage; 0: for ever */
	uint64_t window_s;   /* for which tags are remembered, from their last
			      * use; wait_ms and QUEUE_NOT_AFTER_S longer,
			      * since a repeat may come late */
	uint64_t high_water; /* messages ready at most, in all shards; 0: as
			      * many as take three quarters of Redis's
			      * maxmemory */
	const uint64_t *replicas;    /* of queue_replicate */
	struct queue_gauges *gauges; /* borrowed; NULL: nobody looks at them */
	/* Called for each batch that Redis has taken, with the microseconds
	 * from its first sending to its outcome. */
	void (*settled)(int64_t us);
	/* Called for each line whose tag was used for another increment. */
	void (*reused)(uint64_t line);
	/* Called when Redis lacks n lines of the queue that it was told to
	 * have: it went back, or is another one. */
	void (*lacking)(const char *queue, uint64_t n);
};

/* What has become of lines, for metrics. */
struct publisher_counts {
	uint64_t published;             /* increments that Redis has */
	uint64_t batches;               /* of theirs */
	uint64_t rejected[FAULT_COUNT]; /* refused here or by Redis */
};

/* What one takes in Redis; measured: 59 to 78 in canonical form. */
enum { PUBLISHER_MESSAGE_BYTES = 80 };

/* What the last reply to a call says about the next one. */
enum publisher_trouble {
	PUBLISHER_NO_TROUBLE,
	PUBLISHER_REFUSED,         /* an error: called again at retry_ms */
	PUBLISHER_NO_ROOM,         /* no room: sent again at retry_ms */
	PUBLISHER_ANSWERED_NO_ROOM /* no room: lines answered unavailable */
};

struct publisher {
	struct publisher_settings set;
	struct queue *queue;
	struct publish_batch *in_flight;
	struct batch_list waiting;
	struct buf out; /* with echo: answers, dropped by the owner */
	struct publisher_counts counts;
	bool failed; /* a line was answered unavailable or unknown */

	enum batch_state state; /* of the batch in flight */
	enum publisher_trouble trouble;
	struct id id;
	bool introduced; /* id is */
	uint64_t seq;    /* of the last batch done under id */
	uint64_t run;    /* the Redis that id is for */
	uint64_t asked;  /* the Redis that has told how many shards there are */
	unsigned n_shards; /* as told then */
	bool asking;       /* that call is under way */
	uint64_t from;     /* lines that were pushed before id */
	struct queue_before before;
	uint64_t name; /* of the batch in flight */
	struct redis_time redis_time;
	bool measuring; /* that call is under way: none about a batch is */
	bool measure;   /* the gauges wait for the lengths */
	int64_t sent_ms, sent_us; /* the first sending of the batch in flight */
	int64_t retry_ms;         /* no sending before */
	int64_t limit_ms;         /* lines that arrived until then expire */
	struct wait_limit limit;
	int64_t down_ms; /* no answer to a call since then; 0: none failed,
			  * or nobody was told */
	struct backoff backoff;
	char why[REASON_MAX]; /* empty: see queue_status */
};

enum publisher_state {
	PUBLISHER_WELL,
	PUBLISHER_WAITING, /* for Redis, longer than a moment: publisher_why */
	PUBLISHER_SHARDED, /* nothing was sent, since the queue, told none, has
			    * noted more than one shard: publisher_shards */
	PUBLISHER_FAULT,   /* configuration: trying again is of no use */
	PUBLISHER_GAVE_UP, /* with lines left: publisher_count, publisher_why */
	PUBLISHER_NO_MEMORY
};

/* Borrows what settings point to for ever.  0, or -1 with *ret_why if the
 * URL is no good or memory is gone. */
int publisher_open(struct publisher *c,
    const struct publisher_settings *settings, const char **ret_why);
void publisher_close(struct publisher *c);

/* Adds a line to the batch that fills, or to another one if it is full. */
enum publish_batch_taken publisher_add(struct publisher *c,
    const struct publish_batch_line *line,
    const struct publish_batch_judged *judged, struct control_error *ret_error);

/* Calls add(ctx, line) for each line without an outcome, while the number of
 * shards is not known; until it returns -1, then returns -1. */
int publisher_each(const struct publisher *c,
    int (*add)(void *ctx, const struct publish_batch_line *line), void *ctx);

/* How many shards the queue has noted; 0: not asked yet. */
unsigned publisher_shards(const struct publisher *c);

/* Bytes of the lines without an outcome, and of answers not dropped yet. */
size_t publisher_bytes(const struct publisher *c);

/* When lines that are read now arrived, as in wait_limit_arrival. */
int64_t publisher_arrival(
    const struct publisher *c, int64_t empty_ms, int64_t now_ms);

/* As queue_wait. */
int64_t publisher_wait(const struct publisher *c, struct pollfd *ret_pfd);

/* Reads what Redis has answered, and answers lines that have an outcome or
 * have waited for long enough.  After one of the last four states the
 * publisher is of no more use. */
enum publisher_state publisher_step(
    struct publisher *c, short revents, int64_t now_ms);

/* Sends the batch in flight or the one that fills, if it can go now.  Returns
 * the same states. */
enum publisher_state publisher_send(struct publisher *c, int64_t now_ms);

/* Does every line that was added have its outcome? */
bool publisher_empty(const struct publisher *c);

/* Increments without an outcome; *ret_in_doubt of them may be in Redis. */
size_t publisher_count(const struct publisher *c, size_t *ret_in_doubt);

/* How many messages may be ready at most, in this shard of several, which are
 * taken to be in one Redis; 0: any number. */
uint64_t publisher_high_water(const struct publisher *c);

/* Why it waits, is faulty or gave up, as "object: reason", in ret,
 * which it returns.  It may contain bytes from Redis, never the URL. */
const char *publisher_why(const struct publisher *c, char ret[REASON_MAX]);

#endif
