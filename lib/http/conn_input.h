/*
 * The inside of a connection, and its bytes as requests (layer 3).  For
 * conn.c and conn_input_parse.c alone.
 */
#ifndef INCR_CONN_INPUT_H
#define INCR_CONN_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/timerlist.h"
#include "http/conn.h"
#include "http/exchange.h"
#include "http/http_parser.h"
#include "net/loop.h"

/* There are many of them: 232 bytes, with malloc's own 240. */
struct conn {
	struct loop_fd watch; /* first, so that its address is the conn's */
	struct timer due;     /* in the list of its state */
	struct conn *next_marked;
	struct exchanges asked;
	struct buf in;   /* not parsed yet */
	struct buf body; /* of the request being read */
	struct buf *out; /* not sent yet (unsent.h), or NULL */
	struct http_parser http;
	struct conn_from from;
	uint8_t state;          /* enum conn_state */
	bool marked : 1;        /* is to be flushed */
	bool gone : 1;          /* and then to be freed instead */
	bool held : 1;          /* nothing is parsed for now */
	bool deaf : 1;          /* nothing is parsed any more */
	bool unread : 1;        /* the client may still be sending */
	bool ended : 1;         /* the client's output ended */
	bool want_continue : 1; /* 100 is to be sent */
	bool fresh : 1;         /* the state begins anew */
};

extern const struct conn_policy *conn_policy;

/* Parses as much as may be answered, calls the policy; the number of bytes
 * eaten. */
size_t conn_input_parse(struct conn *c, const char *p, size_t len);

/* Answers the request being read, if it was not, and reads no further. */
void conn_input_refuse(struct conn *c, const struct response *a);

/* Must answers leave before more is read? */
bool conn_is_full(const struct conn *c);

/* conn.c: c has something for conn_flush. */
void conn_mark(struct conn *c);

#endif
