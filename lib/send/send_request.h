/*
 * One request: its lines, body and key, and what each answer to it means for
 * its lines.  Pure but for memory and randomness.
 *
 *	FREE --fill--> READY --sent--> ASKED --learn--> FREE | REPEAT
 *	                                 ^--------sent---------'
 *
 * give_up leads back to FREE from READY and REPEAT.
 *
 * With a key, its own or that of the whole input, a request is frozen: repeated
 * as it was, so that the server counts each of its lines once, until all of
 * them have a verdict.  Without one only lines that were certainly not counted
 * are sent again.
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

enum send_request_state {
	SEND_REQUEST_FREE,  /* no line of it is without a verdict */
	SEND_REQUEST_READY, /* filled, not sent yet */
	SEND_REQUEST_ASKED, /* its answer is awaited */
	SEND_REQUEST_REPEAT /* answered, but not for all of its lines */
};

/* All zero is a free one; the owner frees body. */
struct send_request {
	enum send_request_state state;
	bool keyed;
	char id[ID_TEXT + 1];  /* the key, if it is its own */
	const char *key;       /* of keyed ones: id, or that of the input */
	uint64_t first_number; /* of its first line */
	uint64_t from, to;     /* its lines are those of the window that were
				* waiting here */
	uint64_t end;          /* and from `to` on those that go afterwards */
	size_t max;            /* of these at a time */
	size_t n;              /* lines of the body */
	size_t left;           /* lines without a verdict */
	struct buf body;       /* n lines, each with its newline */
	int64_t sent_us;       /* clock_us() of the last time */
	int64_t until_ms;      /* no repeat from then on; 0: no limit */
	const char *detail;    /* of its last answer, http_verdict.h */
};

/* How requests get their keys. */
struct send_request_keys {
	bool keyed;        /* they have one */
	const char *input; /* that of all lines of the input, borrowed for
			    * ever; NULL: a random one for each request */
};

/*
 * Fills a free request with lines that wait, one to max of them; there must
 * be one.  With the key of the input only lines whose numbers follow one
 * another go together: the server numbers those of a request so.  0, or -1
 * with errno ENOMEM.
 */
int send_request_fill(struct send_request *r, struct line_window *w, size_t max,
    const struct send_request_keys *keys);

/* Says that it was sent, the first time or again. */
void send_request_sent(struct send_request *r, int64_t now_us);

/*
 * Gives the lines the verdicts of an answer.  Returns how many lines have
 * none; if there are any, the body is what is to be sent again.  -1 with
 * errno ENOMEM.
 */
int64_t send_request_learn(struct send_request *r, struct line_window *w,
    const struct http_verdict *v);

/*
 * Of a request that the server had too many lines of, none of which was
 * answered or is in doubt: the first max are sent again under another key, the
 * others afterwards.  0, or -1 with errno ENOMEM.
 */
int send_request_shorten(struct send_request *r, struct line_window *w,
    size_t max, const struct send_request_keys *keys);

/* Of a free one the lines that go afterwards, if any, become a request to be
 * sent (REPEAT).  0, or -1 with errno ENOMEM. */
int send_request_go_on(struct send_request *r, struct line_window *w,
    const struct send_request_keys *keys);

/*
 * May it be sent again at now_ms, a clock_ms()?  Not once a line of it has
 * been doubtful for limit_ms: a server remembers the key for a while only.
 * To be asked after each answer that left lines without a verdict.
 */
bool send_request_may_repeat(struct send_request *r,
    const struct line_window *w, int64_t now_ms, int64_t limit_ms);

/* Settles what has no verdict: it is not sent again. */
void send_request_give_up(struct send_request *r, struct line_window *w);

#endif
