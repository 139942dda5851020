/*
 * Batches and windows of incr-flush.
 *
 *	batch    the lines since the last checkpoint: provisional
 *	window   what one statement counts: the complete batches first to last
 *	         of one consumer, their sums by key and their bad lines
 *
 * Input without checkpoints ("plain") has no batches.  Each of its windows
 * becomes one batch of a consumer id that is made here, so that repeating
 * its statement is as safe as repeating that of a consumer's window.
 *
 * Pure, but for the id that window_numbering_init makes.
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
	WINDOW_LOG_MAX = 100000, /* lines of an adopted range, and then
				  * the rest of its batch */
	WINDOW_DAY_MS = 86400000
};

/* Lines of one batch.  All zero: empty. */
struct batch {
	struct buf increments; /* struct increment */
	struct buf bad;        /* uint64_t: indexes of the bad lines */
	uint64_t lines;
	int64_t opened_ms; /* clock_ms() of the first line */
};

/* Each adds one line.  0, or -1 with errno ENOMEM: b is unchanged. */
int batch_add(struct batch *b, const struct increment *inc, int64_t now_ms);
int batch_add_bad(struct batch *b, int64_t now_ms);
/* Empties b; memory above 256 KiB is given back. */
void batch_clear(struct batch *b);
void batch_free(struct batch *b);

struct window {
	bool open;    /* else all below is empty */
	bool plain;   /* of input without checkpoints */
	bool of_file; /* plain, and its batches are lines of a file that others
		       * may load, too: load_file.h */
	bool adopted; /* batches that self took over from another consumer */
	struct id consumer;
	struct id self; /* the owner of consumer: itself or its adopter */
	/* Batches.  from to first - 1 were in the table before; from, first
	 * and last are 0 before the first batch. */
	uint64_t from, first, last;
	uint64_t base; /* where the ledger row must stand; first - 1, but for
			* batches that are lost */
	struct keysums keysums; /* of first to last */
	uint64_t lines;         /* increments in keysums */
	struct buf rejects;     /* struct queue_reject, sorted */
	struct buf log;         /* struct increment, if adopted */
	struct buf ends;        /* size_t: where each batch ends in log */
	int64_t opened_ms;      /* clock_ms() of the first line */
	int64_t sent_ms;        /* clock_ms() of the first statement, 0: none */
	int64_t oldest_ms;      /* clock_ms() of its oldest increment;
				 * INT64_MAX: unknown */
};

/* Opens w (not open) for batches of consumer; its first line came at
 * now_ms. */
void window_open(struct window *w, const struct id *consumer,
    const struct id *self, bool adopted, int64_t now_ms);

/* Opens w (not open) for lines of an input without checkpoints. */
void window_open_plain(struct window *w, int64_t now_ms);
/* Adds n increments to the sums.  0, or -1 with errno ENOMEM: some of them may
 * be in w. */
int window_add(struct window *w, const struct increment *inc, size_t n);

/* The consumer id and the batch numbers of plain windows. */
struct window_numbering {
	struct id consumer;
	uint64_t next;
	int64_t committed_ms; /* clock_ms() of the last COMMIT, 0: none */
};

/* Makes a consumer id. */
void window_numbering_init(struct window_numbering *n);

/* Makes w (plain, open, with keys) the next batch.  A day after the last
 * COMMIT a new id is made: its ledger row might grow too old in use. */
void window_number(
    struct window *w, struct window_numbering *n, int64_t now_ms);

/*
 * Adds b as batch seq: the one after w->last, or any if w has none.  age_ms
 * is the age of its oldest increment at now_ms.  0, or -1 with errno ENOMEM:
 * w holds a part of b and must not be committed.
 */
int window_add_batch(struct window *w, const struct batch *b, uint64_t seq,
    int64_t age_ms, int64_t now_ms);

/* Has w (not frozen) room for b, so that it has at most `most` keys?  An empty
 * one has. */
bool window_fits(const struct window *w, const struct batch *b, size_t most);

/* Keys and bad lines: what max-keys bounds. */
size_t window_size(const struct window *w);

/* Lines of its batches from first to last, good and bad: what the ledger adds
 * up.  0 if plain: those never were in the queue. */
uint64_t window_lines(const struct window *w);

/* True if w needs no ledger row and is older than a day: its consumer's
 * ledger row, which another process may have written, may have been deleted
 * since, and w would be counted twice. */
bool window_too_old(const struct window *w, int64_t now_ms);

/* What the ledger row means for w, whose statement did not move it. */
enum window_verdict {
	WINDOW_AGAIN,  /* row is base: repeat the statement */
	WINDOW_THERE,  /* all of w is in the table */
	WINDOW_PARTLY, /* first to row are in the table */
	WINDOW_LOST    /* row is lower than first, and not base */
};
enum window_verdict window_judge(const struct window *w, uint64_t row);

/* Drops the batches up to row (WINDOW_PARTLY, adopted) from the sums.  0, or
 * -1 with errno ENOMEM: w must not be committed. */
int window_trim(struct window *w, uint64_t row);

/* Empties w; memory above 256 KiB (a table above 1 MiB) is given back. */
void window_clear(struct window *w);
void window_free(struct window *w);

#endif
