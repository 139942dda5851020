/*
 * What comes into incr-flush (layer 2), judged line by line.  Pure.
 *
 * If the first line is a checkpoint of seq 0, it is a consumer's stream:
 *
 *	begin  (lines  checkpoint)...  [begin ...]  [end]
 *
 * otherwise it is plain: increments, and a control line is none.
 */
#ifndef INCR_FLUSH_INPUT_H
#define INCR_FLUSH_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flush/window.h"
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
	FLUSH_INPUT_LINE,   /* a good line of a batch */
	FLUSH_INPUT_ADD,    /* plain: inc is to be counted */
	FLUSH_INPUT_BAD,    /* fault says why; in a batch it has its place */
	FLUSH_INPUT_BEGIN,  /* consumer speaks from now on */
	FLUSH_INPUT_BATCH,  /* batch is complete and point names it */
	FLUSH_INPUT_END,    /* the consumer left in order */
	FLUSH_INPUT_CONFIG, /* why; exit 100 */
	FLUSH_INPUT_BUG,    /* why; exit 101 */
	FLUSH_INPUT_MEMORY
};

struct flush_input {
	const char *queue; /* borrowed */
	enum flush_input_kind kind;
	struct id consumer; /* who speaks */
	uint64_t seq;       /* its last own batch */
	bool ended;
	int64_t begun_ms, begun_taken_ms; /* of seq 0: tick and Redis */
	struct batch batch;
	struct control_checkpoint point;
	struct increment inc;
	enum fault fault;
	char why[200];
};

/* All zero but queue is the beginning.  The batch is the caller's to empty
 * (batch_clear) after FLUSH_INPUT_BATCH, before the next line. */
enum flush_input_event flush_input_line(struct flush_input *s, const char *line,
    size_t len, bool too_long, int64_t now_ms);

/*
 * The age of the oldest increment of the batch that point names, at now_ms,
 * unix_ms by this machine's clock.  Since it was taken: the difference of
 * the clocks, but no more than the time since the stream began if it began
 * before; so a clock that is wrong against Redis's can't make everything
 * look old.  Before that: what point says, by Redis's clock alone.
 */
int64_t flush_input_age_ms(
    const struct flush_input *s, int64_t now_ms, int64_t unix_ms);

#endif
