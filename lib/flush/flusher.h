/*
 * incr-flush without its input and messages: lines become batches, batches
 * windows, windows statements, and what was committed is acknowledged.  It
 * prints nothing and reads no input; a program's loop:
 *
 *	while (flusher_takes(f)) ... flusher_line(f, ...)
 *	deadline = flusher_wait(f, pfds)
 *	... io_poll ...
 *	flusher_step(f, pfds)
 *
 * until flusher_done, or status says that it can't go on.
 *
 * Ownership of an increment: Redis has its batch until the acknowledgement,
 * which is sent only after the COMMIT of its window.  One of two windows
 * fills while the other, frozen, is with Postgres; adopted batches have
 * windows, and a connection, of their own (adopter.h).
 */
#ifndef INCR_FLUSHER_H
#define INCR_FLUSHER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/once.h"
#include "base/reason.h"
#include "flush/acknowledger.h"
#include "flush/adopter.h"
#include "flush/committer.h"
#include "flush/dead_letters.h"
#include "flush/flush_input.h"
#include "flush/flush_tally.h"
#include "flush/going_back.h"
#include "flush/ledger_gc.h"
#include "flush/load_file.h"
#include "flush/placement.h"
#include "flush/plain_lines.h"
#include "flush/schedule.h"
#include "flush/sums.h"
#include "flush/window.h"

/* What must happen before the next line is taken. */
enum flusher_state {
	FLUSHER_READ,       /* nothing: there is no complete batch */
	FLUSHER_LOAD,       /* Postgres answers how many lines of the file were
			     * counted before; there is no batch */
	FLUSHER_ASK_STREAM, /* Redis answers whether the stream's consumer is
			     * registered; there is no complete batch */
	FLUSHER_PLACE,      /* the complete batch is placed (placement.h) */
	FLUSHER_ASK_BATCH,  /* Redis answers whether its consumer is registered;
			     * then FLUSHER_PLACE */
	FLUSHER_LOOK        /* Postgres answers where the ledger row of its
			     * consumer stands; then FLUSHER_PLACE */
};

/* Two for the stream's own consumer, the rest are the adopter's. */
enum { FLUSHER_WINDOWS = 2 + ADOPTED_RANGES_MAX, FLUSHER_PFDS = 3 + SUMS_PFDS };

struct flusher_options {
	const char *queue, *redis;
	int64_t interval_ms;
	uint64_t max_keys;
	int64_t keep_ms; /* acknowledged batches are kept so long in Redis */
	uint64_t high_water;   /* half as many messages; 0: by its maxmemory */
	struct load_file load; /* given, id and lines, or all zero */
	struct postgres *sums; /* taken; NULL: without --sums */
};

struct flusher {
	struct flusher_options options;
	enum flusher_state state;
	bool ended;         /* no line will follow */
	bool leaving;       /* flusher_leave */
	bool from_consumer; /* the input is a consumer's stream */
	struct flush_input input;

	struct window windows[FLUSHER_WINDOWS], *filling;
	struct plain_lines plain;          /* on their way into filling */
	struct window_numbering numbering; /* of plain windows */
	struct load_file load;             /* of those of a file */
	struct schedule schedule;          /* of filling */
	bool close_now;                    /* filling closes without it */

	struct committer committer;
	struct adopter adopter;
	struct acknowledger acknowledger; /* open if from_consumer */
	struct sums sums;
	struct ledger_gc gc;
	struct going_back back;
	uint64_t connection; /* of Postgres: the one that row was read on */

	struct id asked;          /* the consumer that Redis was asked about */
	bool unregistered;        /* it is not registered */
	struct once stream_known; /* known_stream.h */
	struct placement_row row; /* of the last one that was not */

	struct flush_tally tally; /* for the metrics */
	struct dead_letters dead; /* what was said of them */

	int status;           /* 0, or the exit status of the first failure */
	char why[REASON_MAX]; /* its message, "object: reason" */
};

/* Takes both connections, to the same database; the strings of options are
 * borrowed until flusher_close. */
void flusher_open(struct flusher *f, struct postgres *pg,
    struct postgres *adopted_pg, const struct flusher_options *options);
void flusher_close(struct flusher *f);

/* May a line be given?  If not, flusher_step must be called first.  Lines of
 * plain input that wait are added to the window before it is called full. */
bool flusher_takes(struct flusher *f);

/* Gives one line of input, which was there at now_ms, and says what it was
 * (input.fault says why it was bad). */
enum flush_input_event flusher_line(struct flusher *f, const char *line,
    size_t len, bool too_long, int64_t now_ms);

/* No line will follow; an incomplete batch is dropped (Redis has it). */
void flusher_end(struct flusher *f);

/* The process was told to end: nothing is begun but what is in hand. */
void flusher_leave(struct flusher *f);

/* What to poll for: Postgres, Redis, Postgres for adopted batches, that of sums
 * (fd -1: nothing), and the clock_ms() at which flusher_step is due. */
int64_t flusher_wait(struct flusher *f, struct pollfd ret_pfds[FLUSHER_PFDS]);
void flusher_step(struct flusher *f, const struct pollfd pfds[FLUSHER_PFDS]);

/* Is there a complete batch that was not placed yet? */
bool flusher_has_batch(const struct flusher *f);

/* Says whether Postgres went back, "object: reason"; false: it did not, or
 * there is nothing more.  To be called after each flusher_step. */
bool flusher_losses(struct flusher *f, char ret_why[REASON_MAX]);

/* The same of what was found out about what is kept, and what was rejected. */
bool flusher_news(struct flusher *f, char ret_why[REASON_MAX]);

/* The outage of the connection for adopted batches, NULL: none, or one that
 * both connections share. */
struct outage *flusher_adopter_outage(const struct flusher *f);

/* The clock_ms() of the oldest increment that waits to be committed,
 * IO_FOREVER if there is none whose age is known. */
int64_t flusher_oldest(const struct flusher *f);

/* The clock_ms() at which an outage is to be said, or too long. */
int64_t flusher_outage_due(const struct flusher *f, int64_t wait_ms);

/* The input has ended, and every complete batch is committed and
 * acknowledged, and its sums are written, unless their reader takes none.  A
 * consumer's stream that has ended in order, with batches that are kept, is
 * done after a look at what is kept (going_back.h), but for flusher_leave. */
bool flusher_done(const struct flusher *f);

/* For its parts: sets status and why, unless something failed before. */
void flusher_fail(struct flusher *f, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same without memory, if result is -1. */
void flusher_check_memory(struct flusher *f, int result);

#endif
