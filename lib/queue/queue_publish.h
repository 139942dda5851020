/*
 * The calls of a publisher: its id is made known, then it publishes batches of
 * lines under it, numbered from 1.  Part of queue.h.
 */
#ifndef INCR_QUEUE_PUBLISH_H
#define INCR_QUEUE_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue_lines.h"
#include "record/id.h"

struct queue;
struct redis_reply;

/* What a publisher was told, under all its ids. */
enum { QUEUE_BEFORE_MAX = 4 };
struct queue_before {
	uint64_t pushed; /* so many lines */
	uint64_t run;    /* by this Redis (session.h) */
	int64_t at_ms;   /* then, Unix milliseconds by Redis's clock */
	/* The ids that it had, the last one first, not the present one. */
	size_t n;
	struct queue_before_id {
		struct id id;
		uint64_t from; /* lines that were pushed before it */
		int64_t at_ms; /* it was last told something */
	} ids[QUEUE_BEFORE_MAX];
};

/* Adds the id that it has no longer, of which b tells what it was told last, in
 * place of the first one if need be. */
void queue_before_add(
    struct queue_before *b, const struct id *id, uint64_t from);

/* Makes a publisher known under a new id: once per id, never repeated under
 * one.  What it was told before is looked for; but a record that is missing
 * in the Redis that told it was deleted there, and proves nothing. */
int queue_introduce(struct queue *q, const struct id *publisher,
    const struct queue_before *before);

struct queue_introduced {
	bool is_new;   /* nobody had introduced the id before */
	int64_t at_ms; /* Unix milliseconds by Redis's clock */
	/* Of the lines pushed before, those that this Redis lacks: it went
	 * back, or is another one. */
	uint64_t lacks;
};
const struct queue_introduced *queue_introduced(const struct queue *q);

/*
 * How many shards (shards.h) the queue has, or the one whose shard it is.
 * told: what is to be noted if that is not decided yet, 0: just look.  The
 * number is noted for ever; a queue that a release before published to has one.
 */
int queue_shards(struct queue *q, unsigned told);
/* The number, 1 to SHARDS_MAX; 0: not decided yet. */
unsigned queue_sharded(const struct queue *q);

struct queue_terms {
	uint64_t window_s;     /* tags are remembered for that long after
				* their last use, and QUEUE_NOT_AFTER_S */
	uint64_t high_water;   /* messages ready at most, 0: any number */
	uint64_t not_after_ms; /* Unix milliseconds by Redis's clock: what
				* comes later does nothing; 0: it only asks
				* for what was done */
	uint64_t name; /* of the batch, at random, the same in each sending */
};

/* Pushes lines (borrowed for the call) as batch seq (from 1) of a
 * publisher that was introduced. */
int queue_publish(struct queue *q, const struct id *publisher, uint64_t seq,
    const struct queue_lines *lines, const struct queue_terms *terms);

enum queue_publish_outcome {
	QUEUE_PUSHED, /* now */
	QUEUE_BEFORE, /* by an earlier sending */
	QUEUE_GAP,    /* not pushed: the publisher's key is missing, or seq
		       * is not the next one; an earlier sending may be */
	QUEUE_HIGH,   /* not pushed, seq is not used: high_water is reached */
	QUEUE_OOM,    /* the same: Redis is at its maxmemory */
	QUEUE_LATE,   /* the same: it is later than not_after_ms */
	QUEUE_OTHER   /* not pushed, by no sending: somebody else has this
		       * publisher's id and used seq for another batch */
};

struct queue_published {
	enum queue_publish_outcome outcome;
	int64_t at_ms;   /* Unix milliseconds by Redis's clock */
	uint64_t pushed; /* lines, under all ids up to here, if the outcome
			  * is one of the first two */
	const struct redis_reply *lines; /* of the two functions below */
};
const struct queue_published *queue_published(const struct queue *q);
/* Was any line pushed, now or before? */
bool queue_published_any(const struct queue_published *p);
/* Was line i (from 0) refused: its tag is marked with another increment? */
bool queue_published_reused(const struct queue_published *p, size_t i);
/* Was any? */
bool queue_published_any_reused(const struct queue_published *p);
/* Of QUEUE_HIGH and QUEUE_OOM: was line i pushed before, by its tag? */
bool queue_published_known(const struct queue_published *p, size_t i);

#endif
