/*
 * The input of a connection: makes requests of bytes, calls the handler for
 * them, and carries out its decisions as far as they concern reading.
 *
 * It reads no socket and sends nothing, so that it works without conn.c: the
 * connection asks afterwards what has become of the requests.
 */
#ifndef INCR_CONN_INPUT_H
#define INCR_CONN_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "http/http_parser.h"

/*
 *	OPEN <-> HELD
 *	  |        |
 *	  v        v
 *	LAST or CUT, then ENDED; from each one of these only forward
 */
enum conn_input_state {
	CONN_INPUT_OPEN, /* requests are parsed */
	CONN_INPUT_HELD, /* DECISION_HOLD: the one being read waits */
	CONN_INPUT_LAST, /* the last request is whole, as its client asked */
	CONN_INPUT_CUT,  /* nothing more is parsed; the client may send on */
	CONN_INPUT_ENDED /* the client has ended its output */
};

enum { CONN_INPUT_READ_ON = 16 << 20 /* bytes of a body, at most */ };

/* All zero is the beginning. */
struct conn_input {
	struct http_parser http;
	struct exchanges asked;
	struct buf body; /* of the request being read */
	uint8_t state;   /* enum conn_input_state */
	bool progressed; /* a request ended or goes on; the connection takes
			  * it back */
};

/* What a new exchange gets to know.  Borrowed for the call. */
struct conn_input_env {
	struct conn *conn;
	const struct handler *handler; /* borrowed by exchanges, too */
	const struct origin *from;
};

/* Parses while more may be answered, calls the handler.  The number of bytes
 * eaten; the rest is to come again, with what follows it. */
size_t conn_input_parse(struct conn_input *in, const struct conn_input_env *env,
    const char *p, size_t len);

/*
 * Carries out a decision on x, one of in->asked.  After CUT the rest of the
 * body is read and dropped, within CONN_INPUT_READ_ON, before x is answered:
 * many clients, and Caddy, read no answer before they have sent all, and find
 * the connection reset instead if nobody reads that.
 */
void conn_input_decide(struct conn_input *in, const struct conn_input_env *env,
    struct exchange *x, enum decision d, const struct response *answer);

/* Reads no more at all: the request being read, or a new one, is cut, and
 * answered with why, unless it was answered before. */
void conn_input_cut(struct conn_input *in, const struct conn_input_env *env,
    const struct response *why);

/* The client has ended its output: drops a request that is not whole, unless
 * it was refused and waits for its end only. */
void conn_input_end(struct conn_input *in);

/* The last answer was made, which the client did not ask to be the last. */
void conn_input_close(struct conn_input *in);

/* Will something still be parsed, now or later? */
bool conn_input_is_open(const struct conn_input *in);

/* Must answers leave before more is read? */
bool conn_input_is_full(const struct conn_input *in);

/* The one that gets 100 (Continue) now, or NULL. */
struct exchange *conn_input_continue(const struct conn_input *in);

#endif
