/*
 * incr-flush --sums: what keys have after a COMMIT, as lines on standard
 * output,
 *
 *	{"key":"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11","value":55}
 *
 * each at least once.  A key that was counted is kept here until its count was
 * read from the table, on a connection of its own, and written: a piece of
 * keys is read when the piece before it is written.  So a slow reader gets
 * fewer lines, of later counts, and the memory is bounded.  It prints nothing
 * but these lines; the loop is that of postgres.h: sums_wait, poll, sums_step.
 *
 * Redis has a batch until it is acknowledged, and one that was counted since
 * sums_since is not, for ACKNOWLEDGER_SUMS_MS at most: counting does not depend
 * on a reader.  Killed before it has written, the batch is adopted and found in
 * the ledger, and its keys come here again.
 */
#ifndef INCR_SUMS_H
#define INCR_SUMS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/options.h"
#include "base/reason.h"
#include "flush/committer.h"
#include "flush/task_queue.h"
#include "flush/window.h"
#include "postgres/keysums.h"
#include "postgres/postgres.h"

enum {
	SUMS_KEYS = 1000000, /* keys that wait, or as many as a window has */
	SUMS_PIECE = 1000,   /* keys of one read */
	SUMS_PFDS = 2
};

#define SUMS_OPTION(dest_) \
	{ \
		.name = "sums", .help = "print the counts that have changed", \
		.kind = OPTIONS_FLAG, .dest = (dest_) \
	}

struct sums {
	struct postgres *pg;          /* owned; NULL: without --sums */
	const struct committer *own;  /* borrowed: bound to which database */
	uint64_t max_keys;            /* about, in each of both: */
	struct keysums fresh;         /* keys that were counted */
	struct keysums reading;       /* sorted; up to next they were read */
	int64_t fresh_ms, reading_ms; /* clock_ms(): the first one came */
	size_t next, asked;           /* asked: of the call under way */
	struct task_queue tasks;
	struct buf out;       /* lines that are read and not written */
	int64_t progress_ms;  /* clock_ms(): something was read or written, or
				 sums_end */
	bool over;            /* nothing more is written */
	char why[REASON_MAX]; /* that is so, or late */
	bool full;            /* a key had no room */
	bool late, said_late, said_full, said_over;
	bool lost; /* a key was not written, ever */
};

/* Takes pg, NULL for a struct that does nothing; own is borrowed until
 * sums_close, which closes pg. */
void sums_open(struct sums *s, struct postgres *pg, const struct committer *own,
    const struct hash_seed *seed, uint64_t max_keys);
void sums_close(struct sums *s);

/* The keys of w, or b, are in the table, after its COMMIT. */
void sums_add_window(struct sums *s, const struct window *w);
void sums_add_batch(struct sums *s, const struct batch *b);

/* What to poll for: Postgres, standard output (fd -1: nothing), and the
 * clock_ms() at which sums_step is due. */
int64_t sums_wait(const struct sums *s, struct pollfd ret_pfds[SUMS_PFDS]);
void sums_step(struct sums *s, const struct pollfd pfds[SUMS_PFDS]);

/* The clock_ms() at which the first key was counted that is not written;
 * IO_FOREVER: there is none. */
int64_t sums_since(const struct sums *s);

/* No more input will come.  However late its reader was until now, it has
 * ACKNOWLEDGER_SUMS_MS from here on. */
void sums_end(struct sums *s);

/* Is there nothing more to be written, or nothing taken for
 * ACKNOWLEDGER_SUMS_MS? */
bool sums_done(const struct sums *s, int64_t now_ms);

/* Nothing more is written. */
void sums_leave(struct sums *s, const char *why);

/* What is to be said, "object: reason"; false: nothing more. */
bool sums_news(struct sums *s, char ret_why[REASON_MAX]);

/* Closes standard output.  0, or -1 with ret_why, "object: reason", if some key
 * was not written since it was counted last. */
int sums_finish(struct sums *s, char ret_why[REASON_MAX]);

#endif
