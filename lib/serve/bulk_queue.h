/*
 * The POST /increments requests in progress: their places, and their turns to
 * send lines.
 *
 * Lines go to the backend while the request is read, and the requests take
 * turns: together they have at most a quarter of the lines in flight, so that
 * single increments meet a short queue, and one of them at most
 * BULK_QUEUE_WINDOW.  A request that has to wait is not read from
 * (DECISION_HOLD).
 *
 * The lines of a client with a rate: those of a body with a length are sent
 * when the whole body is there and all of them are paid for, or none is.  A
 * body without (chunked) can be without end: each of its lines is paid for when
 * it is sent, and waits until it can be.
 */
#ifndef INCR_BULK_QUEUE_H
#define INCR_BULK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timerlist.h"
#include "http/handler.h"
#include "serve/access.h"
#include "serve/backend.h"
#include "serve/bulk_places.h"

enum {
	BULK_QUEUE_WINDOW = 1024, /* lines of one request in flight */
	BULK_QUEUE_TURN = 64,     /* lines of one turn */
	BULK_QUEUE_SHARE = 4      /* all of them: one in so many lines */
};

struct bulk_queue_options {
	uint64_t max;       /* places */
	uint64_t max_lines; /* of the backend */
	int64_t wait_ms;    /* for room, then the rest is unavailable */
	int64_t pace_ms;    /* for its rate, then it is cut */
};

/* Set up by bulk_queue_open(). */
struct bulk_queue {
	struct bulk_queue_options set;
	struct backend *backend;
	struct access *access;
	struct bulk_places places;
	struct timerlist waiting; /* for room; the next turn first */
	struct timerlist paced;   /* for their rates */
	uint64_t in_flight;       /* lines */
	int64_t turn_ms;          /* clock_ms() at the last turn */
	bool in_round;            /* of bulk_queue_next(): */
	size_t turns;             /* left in it */
	uint64_t added;           /* lines sent in it */
};

/* Borrows backend and access for ever.  0, or -1 if there is no memory. */
int bulk_queue_open(struct bulk_queue *q, const struct bulk_queue_options *o,
    struct backend *backend, struct access *access);
void bulk_queue_close(struct bulk_queue *q);

/* x, whose head was read, becomes one: it takes a place with its first
 * complete line.  One unit of the rate is taken.  0, or -1 if there is no
 * memory. */
int bulk_queue_begin(struct bulk_queue *q, struct exchange *x, bool chunked);

/* The calls of struct handler, for an x of bulk_queue_begin(). */
enum decision bulk_queue_data(struct bulk_queue *q, struct exchange *x,
    const char *p, size_t len, struct response *ret_answer);
enum decision bulk_queue_end(
    struct bulk_queue *q, struct exchange *x, struct response *ret_answer);
enum decision bulk_queue_cut(struct exchange *x, struct response *answer);
void bulk_queue_leave(struct exchange *x);

/* The verdict on one of its lines.  The decision is for conn_decide(). */
enum decision bulk_queue_verdict(struct bulk_queue *q, struct exchange *x,
    const struct backend_verdict *v, struct response *ret_answer);

/*
 * The next request whose turn it is, for bulk_queue_advance() at once.  NULL
 * if none can go on now.  Until NULL, once per turn of the loop, before
 * conn_flush().
 */
struct exchange *bulk_queue_next(struct bulk_queue *q, int64_t now_ms);

/* Sends lines of x.  The decision is for conn_decide(). */
enum decision bulk_queue_advance(
    struct bulk_queue *q, struct exchange *x, struct response *ret_answer);

/* When a request will have waited too long, IO_FOREVER if none waits. */
int64_t bulk_queue_due(const struct bulk_queue *q);

#endif
