/*
 * What incr-flush decides (layer 2): lines become batches, batches windows,
 * windows statements, and what was committed is acknowledged.  It prints
 * nothing and reads no input; a program's loop:
 *
 *	while (flusher_takes(f)) ... flusher_line(f, ...)
 *	deadline = flusher_wait(f, pfds)
 *	... io_poll ...
 *	flusher_step(f, pfds)
 *
 * until flusher_done, or status says that it can't go on.
 *
 * An increment's way, and whose it is: Redis has its batch until the
 * acknowledgement, which is sent only after the COMMIT of its window.  Of
 * two windows one fills while the other, frozen, is with Postgres.
 */
#ifndef INCR_FLUSHER_H
#define INCR_FLUSHER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flush/acknowledger.h"
#include "flush/committer.h"
#include "flush/flush_input.h"
#include "flush/ledger_gc.h"
#include "flush/schedule.h"
#include "flush/window.h"

struct flusher_options {
	const char *queue, *redis; /* borrowed */
	int64_t interval_ms;
	uint64_t max_keys;
};

struct flusher {
	struct flusher_options options;
	struct flush_input input;
	struct window windows[2], *filling;
	struct schedule schedule; /* of filling */
	struct committer committer;
	struct acknowledger acknowledger; /* open if remote */
	struct ledger_gc gc;
	bool remote;   /* the input is a consumer's stream */
	bool pending;  /* input's batch is complete and not yet in a window */
	bool checking; /* is asked registered? */
	bool stranger; /* it is not */
	struct id asked;
	bool hurry; /* filling closes as soon as it can */
	bool ended; /* no line will follow */

	struct window_numbering numbering;

	/* The ledger row of the consumer whose adopted batches come. */
	struct flusher_known {
		bool valid, looking;
		struct id consumer;
		uint64_t row;  /* these are in the table */
		uint64_t last; /* and these, when all windows are */
	} known;

	/* For the metrics. */
	uint64_t flushed, replayed; /* increments; batches */
	uint64_t commits;
	int64_t took_us;
	int64_t staleness_ms; /* of its oldest increment; -1: unknown */
	size_t keys;

	int status;         /* 0, or the exit status of a failure */
	const char *object; /* what failed */
	char why[512];
};

/* Takes pg; the strings of options are borrowed until flusher_close. */
void flusher_open(struct flusher *f, struct postgres *pg,
    const struct flusher_options *options);
void flusher_close(struct flusher *f);

/* May a line be given?  If not, something must be done first. */
bool flusher_takes(const struct flusher *f);

/* Gives one line of input and says what it was (input.fault says why it
 * was bad). */
enum flush_input_event flusher_line(
    struct flusher *f, const char *line, size_t len, bool too_long);

/* No line will follow; what is incomplete is dropped. */
void flusher_end(struct flusher *f);

/* What to poll for: Postgres and Redis, fd -1 if not.  Returns when
 * flusher_step is due. */
int64_t flusher_wait(const struct flusher *f, struct pollfd ret_pfds[2]);
void flusher_step(struct flusher *f, const struct pollfd pfds[2]);

/* The clock_ms() of the oldest increment that waits to be committed,
 * IO_FOREVER if none does whose age is known. */
int64_t flusher_oldest(const struct flusher *f);

/* The input has ended, and all that was complete is committed and
 * acknowledged. */
bool flusher_done(const struct flusher *f);

#endif
