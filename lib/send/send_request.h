/*
 * Lines that go in one request (layer 2): the request's body and key, and
 * what an answer to it means for each of them.  Pure but for memory and
 * randomness.
 *
 * With a key a parcel is frozen: repeated as it was, so that the server
 * counts each of its lines once, until all of them have a verdict.  Without
 * one only what was certainly not counted goes again, and in doubt nothing.
 */
#ifndef INCR_SEND_REQUEST_H
#define INCR_SEND_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/id.h"
#include "send/http_verdict.h"
#include "send/line_window.h"

struct send_request {
	bool keyed;
	char key[ID_TEXT + 1];
	uint64_t from, to; /* its lines in the hand; those answered before
			    * they were sent are none of its own */
	size_t n;          /* lines of the body */
	size_t left;       /* lines without a verdict */
	struct buf body;   /* one line per line */
	int64_t sent_us;   /* the last time; the owner's */
	int64_t until_ms;  /* no repeat from then on; the owner's */
	bool flying;       /* the owner's */
};

/* Takes up to max of the lines that wait, at least one.  0, or -1 if memory
 * is gone. */
int send_request_fill(
    struct send_request *p, struct line_window *h, size_t max, bool keyed);

/*
 * Gives the lines their verdicts.  Returns how many have none, to be sent
 * again; the parcel is ready for that.  -1 if memory is gone.
 */
int64_t send_request_learn(struct send_request *p, struct line_window *h,
    const struct http_verdict *v);

/* May a line of it have been counted that has no verdict? */
bool send_request_doubtful(
    const struct send_request *p, const struct line_window *h);

/* It is not sent again: unavailable or, if in doubt, unknown. */
void send_request_give_up(struct send_request *p, struct line_window *h);

#endif
