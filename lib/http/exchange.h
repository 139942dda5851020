/*
 * The requests of one connection and their answers, in order.
 *
 * An exchange belongs to its connection.  When the client goes, an exchange
 * that waits for verdicts stays, without a connection, until it is answered.
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
struct handler;

struct exchange {
	struct exchange *next; /* of the same connection */
	struct conn *conn;     /* NULL: the client has gone */
	const struct handler *handler;
	int64_t began_us; /* clock_us() at the end of the head */
	struct response answer;
	uint64_t first_line; /* of response.h, once the handler knows it */
	const char *more;    /* of response.h, for an answer without any */
	void *ctx;           /* the handler's, in the same piece of memory */
	struct traceparent trace; /* as it came, until a problem is answered */
	size_t limit;             /* bytes of body that are taken */
	size_t seen;              /* bytes of body so far */
	uint32_t pending; /* lines without verdict; their owner counts */
	uint32_t number;  /* among those of its connection; may wrap */
	bool in_pieces;   /* the handler gets the body as it comes */
	bool answered;
	bool collected;   /* its answer is on its way to the client */
	bool whole;       /* nothing more is read of it */
	bool refused;     /* the rest of its body is read and dropped */
	bool close;       /* its answer is the connection's last */
	bool unannounced; /* close, and the client does not know yet */
	bool at_once;     /* unannounced: end it all the same, no lingering */
	bool head_only;   /* HEAD: an answer without body */
	bool awaits_continue; /* 100 is to be sent once it is the first */
};

/* All zero is none. */
struct exchanges {
	struct exchange *first, *last; /* in the order they came */
};

/* A new last one, which is being read.  NULL if there is no memory. */
struct exchange *exchange_begin(
    struct exchanges *q, struct conn *c, const struct handler *handler);

/* The one being read, NULL if none is. */
static inline struct exchange *
exchange_reading(const struct exchanges *q)
{
	return q->last == NULL || q->last->whole ? NULL : q->last;
}

static inline size_t
exchange_count(const struct exchanges *q)
{
	return q->first == NULL ? 0 : q->last->number - q->first->number + 1;
}

/* Gives the answer to x, takes its text.  The first answer counts. */
void exchange_answer(struct exchange *x, const struct response *a);

/* The first one whose answer was not collected. */
static inline struct exchange *
exchange_first(const struct exchanges *q)
{
	struct exchange *x = q->first;

	while (x != NULL && x->collected)
		x = x->next;
	return x;
}

/* Can its answer be sent? */
static inline bool
exchange_ready(const struct exchanges *q)
{
	const struct exchange *x = exchange_first(q);

	return x != NULL && x->answered && x->whole;
}

/* Drops the one being read, if any: it will never be whole. */
void exchange_forget(struct exchanges *q);

/*
 * Takes off the answers that may be sent now and adds them to out.  If
 * closing, the one after which nothing waits says that it is the last.
 * Those with in_pieces, whose answers may be long, stay until exchange_sent():
 * so long their handler counts them.  0, or -1 if there is no memory;
 * *ret_last: the last answer is out.
 */
int exchange_collect(
    struct exchanges *q, struct buf *out, bool closing, bool *ret_last);

/* All that was collected was sent. */
void exchange_sent(struct exchanges *q);

/* The client has gone: frees those that nobody will answer, empties q. */
void exchange_leave(struct exchanges *q);

void exchange_free(struct exchange *x);

#endif
