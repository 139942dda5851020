/*
 * The output of a consumer: the lines of its batches, each batch followed by
 * its checkpoint, incr-record(5).
 *
 * Memory: one batch and what was not yet written before it.
 */
#ifndef INCR_STREAM_H
#define INCR_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/batch_history.h"
#include "queue/queue.h"
#include "record/control.h"
#include "record/fault.h"
#include "record/id.h"

/* All zero: nothing begun.  Read the members, change none. */
struct stream {
	struct buf out;                 /* not yet written */
	struct control_checkpoint last; /* of our own; queue empty: none */
	unsigned shards; /* by which keys of our own batches are judged; 0: not.
			  * Set by the owner with stream_begin */

	uint64_t lines, batches, adopted; /* delivered so far */
	uint64_t faults[FAULT_COUNT];     /* error lines in place of payloads */
	struct batch_history history;     /* of our own */
	struct batch_history_loss loss;   /* the last that was noted */
	uint64_t losses;                  /* how many */
};

/* stream_begin, stream_add and stream_end: 0, or -1 if memory is gone: then
 * the stream is of no more use. */

/* Begins, or goes on, under a new id: the checkpoint of seq 0, at now_ms by
 * Redis's clock. */
int stream_begin(struct stream *s, const char *queue, const struct id *consumer,
    int64_t now_ms);

/* Notes it if the Redis that registered another id, after last, knows less of
 * last than was taken. */
void stream_compare(struct stream *s, const struct queue_registered *r);

/* Was it ever begun? */
bool stream_begun(const struct stream *s);

/* Adds the lines of a batch and its checkpoint: one of our own if adopted is
 * NULL, else of the consumer it was adopted from.  In place of an increment
 * whose key is of another shard stands an error line, if its consumer was
 * registered so.  *ret_bytes: of its payloads. */
int stream_add(struct stream *s, const struct queue_batch *b,
    const struct id *adopted, uint64_t *ret_bytes);

/* Adds the last checkpoint ("end":true), if the stream was begun. */
int stream_end(struct stream *s);

/* Writes as much as goes without blocking, but not more than 1 MiB.  0 (maybe
 * with nothing written), or -1 with errno. */
int stream_write(struct stream *s, int fd);

/* Frees the memory that a large batch took, if all was written. */
void stream_shrink(struct stream *s);

void stream_free(struct stream *s);

#endif
