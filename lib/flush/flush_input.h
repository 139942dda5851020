/*
 * The input of incr-flush, judged line by line.  Pure.
 *
 * If the first line is a checkpoint of seq 0, it is a consumer's stream:
 *
 *	begin  (lines  checkpoint)...  [begin ...]  [end]
 *
 * otherwise it is plain: increments; a control line is invalid there.
 */
#ifndef INCR_FLUSH_INPUT_H
#define INCR_FLUSH_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "flush/window.h"
#include "queue/batch_history.h"
#include "record/control.h"
#include "record/fault.h"
#include "record/increment.h"

enum flush_input_kind {
	FLUSH_INPUT_UNKNOWN,
	FLUSH_INPUT_PLAIN,
	FLUSH_INPUT_CONSUMER
};

enum { FLUSH_INPUT_BATCH_MAX = 100000 }; /* lines; incr-consume -n has it too */

enum flush_input_event {
	FLUSH_INPUT_LINE,   /* a valid line of a batch */
	FLUSH_INPUT_ADD,    /* plain: inc is to be counted */
	FLUSH_INPUT_BAD,    /* invalid: fault; batch has its index */
	FLUSH_INPUT_BEGIN,  /* the stream of consumer begins */
	FLUSH_INPUT_BATCH,  /* batch is complete; point is its checkpoint */
	FLUSH_INPUT_END,    /* the consumer has ended in order */
	FLUSH_INPUT_CONFIG, /* why: configuration */
	FLUSH_INPUT_BUG,    /* why: incr-consume does not write this */
	FLUSH_INPUT_MEMORY  /* ENOMEM */
};

struct flush_input {
	const char *queue; /* borrowed */
	enum flush_input_kind kind;
	struct id consumer; /* whose stream it is */
	uint64_t seq;       /* its last own batch */
	bool ended;         /* after FLUSH_INPUT_END */
	/* By how much clock_ms() is ahead of Redis's clock at least, by its own
	 * checkpoints: of the time since lag_since_ms, and of that before. */
	int64_t lag_ms, lag_before_ms, lag_since_ms;
	struct batch batch;              /* lines since the last checkpoint */
	struct control_checkpoint point; /* the last checkpoint */
	struct batch_history history;    /* the batches of checkpoints */
	struct increment inc;
	enum fault fault;
	char why[REASON_MAX];
};

/*
 * Judges one line, len bytes without the newline; too_long: the front of a
 * longer one.  At first s is all zero but queue.  After FLUSH_INPUT_BATCH the
 * caller empties s->batch (batch_clear) before the next line, and frees it at
 * the end (batch_free).
 */
enum flush_input_event flush_input_line(struct flush_input *s, const char *line,
    size_t len, bool too_long, int64_t now_ms);

/*
 * The age of the oldest increment of the batch of point, at now_ms.  It is the
 * sum of
 *
 *	the time since the batch was taken.  No wall clock of this machine has a
 *	say in it, which may differ from Redis's: own checkpoints tell how the
 *	times of Redis and clock_ms() go together, the one that was read soonest
 *	best.  A minute is remembered, so that a step of Redis's clock is over
 *	then; one forward is over at once; and
 *	the time before that, which point has, by Redis's clock alone.
 */
int64_t flush_input_age_ms(const struct flush_input *s, int64_t now_ms);

#endif
