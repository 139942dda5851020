/*
 * The service behind the connections: the functions that conn calls for each
 * request.
 *
 * A function returns a decision, and conn carries it out.  None of them calls
 * conn.  An answer that comes later goes to conn by conn_decide().
 */
#ifndef INCR_HANDLER_H
#define INCR_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/http_parser.h"
#include "http/response.h"
#include "net/address.h"

struct exchange;

/* Where a connection comes from. */
struct origin {
	struct address peer;
	uint8_t role; /* of the socket that accepted it; the service's */
	bool surplus; /* over the limit: its first request is its last */
	bool brief;   /* its first request is its last, within the limit, too */
};

/* The head of a request.  Borrowed for the call. */
struct request_head {
	const struct http_request *fields;
	const char *text; /* where the offsets in fields count from */
	const struct origin *from;
};

enum decision {
	DECISION_READ,   /* read on; x is answered later, if it was not yet */
	DECISION_HOLD,   /* read no more of x until a later DECISION_READ */
	DECISION_ANSWER, /* *ret_answer is the answer to x */
	DECISION_CUT     /* take no more of x; *ret_answer says why */
};

/*
 * *ret_answer is set with ANSWER and CUT only.  The text of an answer
 * belongs to the connection from then on.
 *
 * NULL may be ctx_end, fields, answered: nothing is to be done; cut: it is
 * answered; data and left: no exchange is in_pieces.
 */
struct handler {
	void *service; /* the first argument of each */

	/* What the service keeps with an exchange (x->ctx): bytes, zeros at
	 * first, and how it gives up what it owns. */
	size_t ctx_size;
	void (*ctx_end)(void *ctx);

	/* Fields of each answer to what comes from there, also of those that no
	 * other function here is asked about: a malformed head, a time limit.
	 * x->more; borrowed for ever. */
	const char *(*fields)(void *service, const struct origin *from);
	/* The head was read.  Sets x->limit; may set x->in_pieces, x->close and
	 * x->at_once.  READ or ANSWER: then the body is discarded. */
	enum decision (*head)(void *service, struct exchange *x,
	    const struct request_head *h, struct response *ret_answer);
	/* A piece of the body of an x with in_pieces.  Any but ANSWER. */
	enum decision (*data)(void *service, struct exchange *x, const char *p,
	    size_t len, struct response *ret_answer);
	/* The request is whole.  body is empty with in_pieces.  READ and HOLD
	 * both leave the answer for later. */
	enum decision (*end)(void *service, struct exchange *x,
	    const char *body, size_t len, struct response *ret_answer);
	/* No more of x is taken, *answer says why.  ANSWER: it is answered so,
	 * or with what was put in its place.  READ: later. */
	enum decision (*cut)(
	    void *service, struct exchange *x, struct response *answer);
	/* The client of an x with in_pieces has gone.  What is in flight for
	 * it is still answered by conn_decide(). */
	void (*left)(void *service, struct exchange *x);
	/* x->answer was given, by whichever way. */
	void (*answered)(void *service, const struct exchange *x);
};

#endif
