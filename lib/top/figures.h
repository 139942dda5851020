/*
 * What a screen of incr-top shows, made of Prometheus texts: the arithmetic of
 * rates, sums and maxima.  Pure but for the seed of a hash.
 *
 * A reading is the texts of all sources at one moment:
 *
 *	figures_begin(f, now_s, unix_s);
 *	figures_add(f, source, text, len);	once per text
 *	figures_end(f);
 */
#ifndef INCR_FIGURES_H
#define INCR_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

#include "top/counters.h"
#include "top/histogram.h"
#include "top/processes.h"
#include "top/timeline.h"

/* Queues: as many as a queue may have shards, and some more. */
enum { FIGURES_CODES = 32, FIGURES_QUEUES = 1152, FIGURES_NAME_MAX = 132 };

/* Counters, summed over processes. */
enum figures_counter {
	FIGURES_IN,         /* increments that Redis has */
	FIGURES_OUT,        /* increments that Postgres has */
	FIGURES_REJECTED,   /* lines that were no increments, or not taken */
	FIGURES_REPLAYED,   /* batches that had been counted before */
	FIGURES_STEPS_BACK, /* of Redis or the ledger */
	FIGURES_GAVE_WAY,   /* kept batches, before their time */
	FIGURES_COUNTERS
};

struct figures_total {
	double total; /* of all processes that have a file */
	double grown; /* since the last reading */
	struct timeline line;
};

/* Answers with one code. */
struct figures_code {
	char code[8];
	struct figures_total answers;
};

/* A queue.  Several processes tell of it: the highest counts, and of what was
 * counted the sum.  NaN: nobody told. */
struct figures_queue {
	char name[FIGURES_NAME_MAX]; /* empty: of a release without names */
	double ready, taken, rejected, oldest;
	double total;          /* increments of it that Postgres has */
	double rate;           /* the same per second */
	double grown;          /* since the last reading */
	struct timeline *line; /* owned; NULL: nothing was counted yet */
	bool told;             /* in this reading */
};

/* Gauges of incr-flush, the highest of all processes; NaN: nobody told. */
struct figures_flush {
	double staleness, keys, at_risk;
};

/* Large: not for the stack.  Owned by whoever declares it. */
struct figures {
	struct figures_total counters[FIGURES_COUNTERS];
	struct figures_code codes[FIGURES_CODES]; /* in order */
	size_t n_codes;
	/* A queue stands before its shards, and these in their order. */
	struct figures_queue queues[FIGURES_QUEUES]; /* of this reading */
	size_t n_queues;
	struct figures_flush flush;
	struct histogram requests, statements; /* seconds */
	struct timeline ready, oldest;         /* of all queues: sum; highest */
	struct processes processes;
	struct counters series;
	size_t readings;
	size_t samples, bad; /* of this reading: of incr; lines that are none */
	double now, unix_now, last_unix;
};

/* All zero before the first.  now_s is of any clock that does not step, unix_s
 * the seconds since 1970. */
void figures_begin(struct figures *f, double now_s, double unix_s);

/* Reads a text.  0, or -1 with errno ENOMEM. */
int figures_add(struct figures *f, int source, const char *text, size_t len);

void figures_end(struct figures *f);

/* Per second; NaN until there were two readings. */
double figures_rate(const struct figures *f, const struct figures_total *t);

/* Sum of the queues' messages that wait; the oldest of all.  NaN: nobody
 * told. */
double figures_ready(const struct figures *f);
double figures_oldest(const struct figures *f);

/*
 * How many queues from number i on are of one queue: itself and its shards.
 * *ret_shards is how many of them are shards: if two or more, *ret_all is what
 * they and the queue itself have together, and *ret_all's name is that queue's.
 */
size_t figures_shards(const struct figures *f, size_t i, unsigned *ret_shards,
    struct figures_queue *ret_all);

void figures_free(struct figures *f);

#endif
