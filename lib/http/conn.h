/*
 * HTTP connections and the requests on them (layer 3).
 *
 * Reads requests, calls the policy for each, sends the answers in the order
 * the requests came, whenever they are given.
 */
#ifndef INCR_CONN_H
#define INCR_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"
#include "http/http_parser.h"
#include "net/address.h"

enum conn_state {
	CONN_IDLE,      /* between requests; holds no buffer */
	CONN_HEAD,      /* in a head */
	CONN_BODY,      /* in a body */
	CONN_WAITING,   /* for verdicts */
	CONN_WRITING,   /* for the client to read */
	CONN_LINGERING, /* the last answer was sent: what the client still
			 * sends is read, lest a reset destroy the answer */
	CONN_STATES
};

struct conn_policy {
	int64_t limit_ms[CONN_STATES]; /* of a state; WAITING has none */
	bool closing; /* every answer ends its connection, if it can */
	struct exchange_ctx ctx;

	/* The head is there: set x->limit, or answer at once. */
	void (*head)(
	    struct exchange *x, const struct http_request *r, const char *head);
	/* The request is there, and not answered yet.  body is borrowed. */
	void (*body)(struct exchange *x, const char *body, size_t len);
	/* The same for a request with x->in_pieces: a piece of the body;
	 * body() is then called without one. */
	void (*data)(struct exchange *x, const char *p, size_t len);
	/* No more is read of it: answer it, with a or later. */
	void (*cut)(struct exchange *x, const struct response *a);
	/* The client of a request with x->in_pieces has gone. */
	void (*left)(struct exchange *x);
	/* It was answered. */
	void (*answered)(const struct exchange *x);
};

/* Borrows p for ever; it may change closing. */
void conn_use(const struct conn_policy *p);

/* Where a connection comes from, for the policy. */
struct conn_from {
	struct address peer;
	uint8_t role; /* of the socket that listened */
	bool surplus; /* one too many: its first request is the last */
};

/* Takes an accepted, non-blocking socket, also on failure.  A surplus one has
 * no longer than the time for a head.  0, or -1 with errno. */
int conn_open(int fd, const struct conn_from *from);

/* That of the connection of an exchange, while in policy calls. */
const struct conn_from *conn_from(const struct exchange *x);

/*
 * Gives the answer to x, takes its text.  pending must be 0: x may be gone
 * afterwards.  The first answer counts.
 */
void conn_answer(struct exchange *x, const struct response *a);

/* For a request being read: reads no more until conn_go_on, or never again,
 * which cuts it. */
void conn_hold(struct exchange *x);
void conn_go_on(struct exchange *x);
void conn_refuse(struct exchange *x, const struct response *a);

/* Sends the answers given since the last call.  Once per turn of the loop,
 * after everything that answers. */
void conn_flush(void);

/* Ends what has taken too long; answers it if there is something to say.
 * When it is due again, IO_FOREVER if never. */
int64_t conn_tick(int64_t now_ms);

size_t conn_count(void); /* surplus ones included */
size_t conn_surplus(void);
/* Bytes of answers that their clients did not read so far. */
size_t conn_unsent_bytes(void);
/* Connections whose last answers are still on their way. */
size_t conn_unsent(void);

#endif
