/*
 * One POST /increments request: its lines that were not sent yet, the verdicts
 * on the others, and the answer made of them.  Pure: no input or output.
 *
 *	POST /increments                         207 Multi-Status
 *
 *	{"key":"6f1b…","value":3}                {"key":"6f1b…","value":3}
 *	{"value":3}                              {"error":{"code":"missing-key",
 *	                                          …,"line":2}}
 *
 * A line without a verdict costs a byte, an increment that was taken its text.
 */
#ifndef INCR_BULK_REQUEST_H
#define INCR_BULK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/lines.h"
#include "base/timerlist.h"
#include "http/response.h"
#include "serve/bulk_places.h"

enum { BULK_REQUEST_LINES = 10000, BULK_REQUEST_BYTES = 1 << 20 };
#define BULK_REQUEST_TOO_LONG "the body must not exceed 1 MiB and 10000 lines"

/* How the lines count against the rate of their client. */
enum bulk_rate {
	BULK_RATE_PAID,    /* they do no more, or there is none */
	BULK_RATE_COUNTED, /* all at once, when all are there */
	BULK_RATE_PACED    /* each when it is sent */
};

struct bulk_request {
	struct lines in;     /* not sent yet */
	struct buf verdicts; /* an enum fault for each line, a byte each */
	struct buf texts;    /* of the increments that were taken, in order */
	struct response cut; /* why no more is read; status 0: it is whole */
	const char *first_hint; /* of line 1, if it is not JSON; or NULL */
	bool last_blank;        /* the last line added has nothing in it */
	struct bulk_places *places;
	struct ratelimit_key client; /* whose place it has */
	bool placed;
	/* bulk_queue's: */
	void *owner;             /* the exchange */
	struct timerlist *waits; /* for room or for its rate, or NULL */
	struct timer due;        /* in that list */
	enum bulk_rate rate;
	uint32_t newlines;  /* of BULK_RATE_COUNTED */
	int64_t held_to_ms; /* of BULK_RATE_PACED: for its rate; 0: not yet */
	bool failed;        /* no line is sent any more */
	const char *why;    /* for the log, constant; NULL: the queue's doing */
};

/* Without a place; borrows places.  NULL if there is no memory. */
struct bulk_request *bulk_request_new(void *owner, struct bulk_places *places,
    const struct ratelimit_key *client);

/* Gives back its place.  NULL is allowed. */
void bulk_request_free(struct bulk_request *b);

/* Is there a line, so that it needs a place? */
bool bulk_request_began(const struct bulk_request *b);

/* Adds bytes of the body.  0, or -1 if there is no memory. */
int bulk_request_feed(struct bulk_request *b, const char *p, size_t len);

/* The end of the body: what is left is its last line. */
void bulk_request_end(struct bulk_request *b);

/* Drops the rest of the body, also what was read and not sent yet; a says
 * why. */
void bulk_request_cut(struct bulk_request *b, const struct response *a);

/* The next line, as lines_next; LINES_END once there will be no more. */
enum lines_result bulk_request_next(
    struct bulk_request *b, const char **ret_line, size_t *ret_len);

/* Was the last line returned? */
bool bulk_request_ended(const struct bulk_request *b);

/* Adds a line (NULL: one that is too long), whose verdict is unknown until
 * bulk_request_settle().  Its number, from 1, or 0 if there is no memory. */
uint32_t bulk_request_take(
    struct bulk_request *b, const char *line, size_t len);

/* How many lines were added. */
uint32_t bulk_request_lines(const struct bulk_request *b);

/* The verdict on a line.  FAULT_NONE: text is the increment, and no line
 * before number is settled so later. */
void bulk_request_settle(struct bulk_request *b, uint32_t number,
    enum fault fault, const char *text, size_t len);

/*
 * The answer, once all lines are settled: 202 if all were taken, a problem
 * if no line was and all for one reason, else 207.  With 202 and 207 one line
 * per line; if it was cut another one, an error with the number of the first
 * line that was not read: too-long (of the body), else unavailable.  After it
 * b holds its place, and little memory.
 */
struct response bulk_request_answer(struct bulk_request *b);

#endif
