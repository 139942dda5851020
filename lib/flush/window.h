/*
 * What one statement adds up (layer 2): a range of batches of one consumer,
 * or, from an input without checkpoints, one batch of our own numbering.
 * Pure: no clock, no input, no output.
 *
 *	batch    lines since the last checkpoint: provisional
 *	window   complete batches first..last, their sums and their bad lines
 */
#ifndef INCR_WINDOW_H
#define INCR_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "postgres/keysums.h"
#include "record/id.h"
#include "record/increment.h"

enum {
	WINDOW_PROMISE_MS = 10000, /* from published to visible, at most */
	/* Of these for a kill -9 at the end, when another machine takes over:
	 * the owner key expires (QUEUE_OWNER_MS), two looks, reading,
	 * WINDOW_LINGER_MS, a connection; and the wait before the take. */
	WINDOW_RECOVERY_MS = 1750,
	WINDOW_LINGER_MS = 100,  /* an adopted range waits for its next */
	WINDOW_LOG_MAX = 100000, /* lines of an adopted range, and then
				  * the rest of its batch */
	WINDOW_DAY_MS = 86400000
};

/* All zero: empty. */
struct batch {
	struct buf increments; /* struct increment */
	struct buf bad;        /* uint64_t: indexes of the bad lines */
	uint64_t lines;
	int64_t opened_ms; /* clock_ms() of the first line */
};

/* Each adds one line; 0, or -1 if memory is gone. */
int batch_add(struct batch *b, const struct increment *inc, int64_t now_ms);
int batch_add_bad(struct batch *b, int64_t now_ms);
void batch_clear(struct batch *b);
void batch_free(struct batch *b);

struct window {
	bool open; /* else all below is empty */
	bool plain, adopted;
	struct id consumer;
	struct id self; /* who owns the consumer: itself or its adopter */
	uint64_t from, first, last; /* from..first-1 were there before */
	struct keysums sums;
	uint64_t lines;     /* increments in sums */
	struct buf rejects; /* struct queue_reject, sorted */
	struct buf log;     /* struct increment, if adopted */
	struct buf ends;    /* size_t: where each batch ends in log */
	int64_t opened_ms;  /* clock_ms() of the first line */
	int64_t sent_ms;    /* of the first statement, 0: none yet */
	int64_t oldest_ms;  /* clock_ms() of its oldest increment;
			     * INT64_MAX: not known */
};

/* Opens w (not open) for batches of consumer. */
void window_open(struct window *w, const struct id *consumer,
    const struct id *self, bool adopted, int64_t now_ms);

/* Opens w (not open) for lines of an input without checkpoints. */
void window_open_plain(struct window *w, int64_t now_ms);
/* Adds one of them.  0, or -1 if memory is gone. */
int window_add(struct window *w, const struct increment *inc);

/*
 * Adds batch seq, the next one of w or its first.  age_ms is that of its
 * oldest increment.  0, or -1 if memory is gone: w is spoilt.
 */
int window_add_batch(struct window *w, const struct batch *b, uint64_t seq,
    int64_t age_ms, int64_t now_ms);

/* Keys and bad lines: what max-keys bounds. */
size_t window_size(const struct window *w);

/* The clock_ms() at which w must close; expected_ms is what its statement
 * will take, jitter_ms earlier than need be if it is of our own. */
int64_t window_due(const struct window *w, int64_t interval_ms,
    int64_t jitter_ms, int64_t expected_ms);

/* Must w not be committed any more, because the ledger row of a first
 * commit by others may have gone since? */
bool window_too_old(const struct window *w, int64_t now_ms);

/* What a ledger row that did not move means for w. */
enum window_verdict {
	WINDOW_AGAIN,  /* the row is where it should be: repeat */
	WINDOW_THERE,  /* all of it is in the table */
	WINDOW_PARTLY, /* first to row is there */
	WINDOW_LOST    /* batches before it are missing */
};
enum window_verdict window_judge(const struct window *w, uint64_t row);

/* Drops batches up to row (WINDOW_PARTLY, adopted) from the sums.  0, or -1
 * if memory is gone: w is spoilt. */
int window_trim(struct window *w, uint64_t row);

/* Empties w; large memory is given back. */
void window_clear(struct window *w);
void window_free(struct window *w);

#endif
