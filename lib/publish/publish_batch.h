/*
 * A batch of lines for the queue, and the answers to them.
 *
 * It keeps lines in input order, the increments among them (the data) encoded
 * for queue_publish, and with echo the answers to all of them:
 *
 *	in                      while it is here         out, once settled
 *	increment               data, for Redis          the same line
 *	increment               data, given a fault      an error line
 *	no increment            an error line            that error line
 *	an error line           itself                   itself
 *
 * Without echo only data is kept, and nothing comes out.  Memory: at most
 * PUBLISH_BATCH_LINES lines, and no more once their text has
 * PUBLISH_BATCH_BYTES.
 */
#ifndef INCR_PUBLISH_BATCH_H
#define INCR_PUBLISH_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/queue.h"
#include "record/control.h"
#include "record/fault.h"
#include "record/increment.h"

enum {
	PUBLISH_BATCH_LINES = QUEUE_LINES_MAX,
	PUBLISH_BATCH_MARKED = 1000, /* below a high-water mark */
	PUBLISH_BATCH_BYTES = 512 << 10
};

struct publish_batch_entry;

struct publish_batch {
	bool echo, tagged;
	bool keeps; /* the text of the data, also without echo */
	size_t max; /* lines: PUBLISH_BATCH_LINES, or fewer */
	struct queue_lines encoded; /* the data; see publish_batch_encode */
	bool stale;                 /* encoded has lines that are gone */
	struct publish_batch_entry *entries; /* PUBLISH_BATCH_LINES of them */
	size_t first, end;                   /* those in use */
	size_t n_data;                       /* the data among them */
	size_t n_faults;                     /* the data with a fault */
	struct buf text; /* the answers, as if all went well */
};

/* The set of faults that answers have in the place of increments (fault.h).
 * With echo incr-validate judges lines before they come here. */
unsigned publish_batch_faults(bool echo, bool tagged);

/* 0, or -1 if memory is gone. */
int publish_batch_open(struct publish_batch *b, bool echo, bool tagged);
void publish_batch_close(struct publish_batch *b);

bool publish_batch_empty(const struct publish_batch *b);
static inline bool
publish_batch_full(const struct publish_batch *b)
{
	return b->end >= b->max || b->encoded.tags == QUEUE_TAGS_MAX ||
	       b->text.len >= PUBLISH_BATCH_BYTES ||
	       b->encoded.resp.len >= PUBLISH_BATCH_BYTES;
}

/* A line as it was read. */
struct publish_batch_line {
	const char *text; /* borrowed for the call; no newline */
	size_t len;
	bool too_long;   /* text is only its beginning */
	bool torn;       /* no newline at the end of input: maybe half a line */
	uint64_t number; /* of the input line, from 1 */
	int64_t arrived_ms;
};

/* What a line is. */
struct publish_batch_judged {
	enum fault fault;     /* FAULT_NONE: an increment, */
	struct increment inc; /* if it has a tag, or is sharded, or is not */
	bool canonical;       /* whose line is what Redis gets */
	size_t tag_len;
};
void publish_batch_judge(const struct publish_batch_line *line, bool tagged,
    bool sharded, struct publish_batch_judged *ret);

enum publish_batch_taken {
	PUBLISH_BATCH_DATA,     /* an increment, to be sent */
	PUBLISH_BATCH_REJECTED, /* no increment: *ret_error says why */
	PUBLISH_BATCH_ERROR,    /* an error line: *ret_error is what it says */
	PUBLISH_BATCH_NO_MEMORY
};

/* Adds a line that was judged to b, which is not full.  With tagged it begins
 * with a tag and a TAB.  With echo a torn line that is no increment
 * is unavailable, not what is wrong with its half. */
enum publish_batch_taken publish_batch_add(struct publish_batch *b,
    const struct publish_batch_line *line,
    const struct publish_batch_judged *judged, struct control_error *ret_error);

/* The same of a line that is no increment, whose answer is not kept in its
 * place, but with echo added to out. */
enum publish_batch_taken publish_batch_answer(const struct publish_batch *b,
    const struct publish_batch_line *line,
    const struct publish_batch_judged *judged, struct buf *out,
    struct control_error *ret_error);

/* Calls add(ctx, line) for each line that b, which keeps them, has; until it
 * returns -1, then returns -1. */
int publish_batch_each(const struct publish_batch *b,
    int (*add)(void *ctx, const struct publish_batch_line *line), void *ctx);

/* When the oldest data line arrived; INT64_MAX if there is none. */
int64_t publish_batch_oldest_ms(const struct publish_batch *b);

/* The data, encoded: what queue_publish gets, borrowed until the next change
 * of b.  NULL if memory is gone. */
const struct queue_lines *publish_batch_encode(struct publish_batch *b);

/* Gives data line i (from 0) a fault; returns its input line's number. */
uint64_t publish_batch_refuse(
    struct publish_batch *b, size_t i, enum fault fault);

/* Gives every data line a fault. */
void publish_batch_refuse_all(struct publish_batch *b, enum fault fault);

/*
 * With echo only.  Gives fault to the data lines at the front that arrived at
 * limit_ms or before, and releases them with the error lines before, between
 * and behind them: answers are added to out.  Returns how many data lines
 * that were, or -1 if memory is gone.
 */
int publish_batch_expire(struct publish_batch *b, int64_t limit_ms,
    enum fault fault, struct buf *out);

/* Adds all answers to out; b is empty then.  0, or -1 if memory is gone. */
int publish_batch_release(struct publish_batch *b, struct buf *out);

#endif
