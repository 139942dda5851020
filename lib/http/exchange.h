/*
 * Requests of one connection and their answers, in order (layer 2).
 *
 * An exchange belongs to its connection; one that waits for verdicts when
 * its client goes belongs to those who will answer it.
 */
#ifndef INCR_EXCHANGE_H
#define INCR_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/response.h"
#include "http/traceparent.h"

struct conn;

/* What the policy keeps with an exchange. */
struct exchange_ctx {
	size_t size;            /* bytes of it, zeros at first */
	void (*end)(void *ctx); /* gives up what it owns */
};

struct exchange {
	struct exchange *next; /* of the same connection */
	struct conn *conn;     /* NULL: the client has gone */
	int64_t began_us;      /* clock_us() at the end of the head */
	struct response answer;
	void *ctx; /* the policy's, in the same piece of memory */
	void (*ctx_end)(void *ctx);
	struct traceparent trace; /* as it came, until a problem is answered */
	size_t limit;             /* bytes of body that are taken */
	size_t seen;              /* bytes of body so far */
	uint32_t pending; /* lines without verdict; their owner counts */
	bool in_pieces;   /* the policy gets the body as it comes */
	bool answered;
	bool whole;     /* nothing more is read of it */
	bool close;     /* its answer is the connection's last */
	bool head_only; /* HEAD: an answer without body */
};

/* All zero is none. */
struct exchanges {
	struct exchange *first, *last; /* in the order they came */
	struct exchange *reading;      /* the last, until it is whole */
	uint16_t n;
};

/* A new last one, which is being read.  NULL if memory is gone. */
struct exchange *exchange_begin(
    struct exchanges *q, struct conn *c, const struct exchange_ctx *ctx);

/* Drops the one being read, if any: it will never be whole.  Its lines that
 * wait for verdicts keep it, without a connection. */
void exchange_forget(struct exchanges *q);

/*
 * Takes off the answers that may be sent now and adds them to out.  If
 * closing, the one after which nothing waits says that it is the last.
 * 0, or -1 if memory is gone; *ret_last: the last answer is out.
 */
int exchange_collect(
    struct exchanges *q, struct buf *out, bool closing, bool *ret_last);

/* The client has gone: frees those that nobody will answer. */
void exchange_leave(struct exchanges *q);

void exchange_free(struct exchange *x);

#endif
