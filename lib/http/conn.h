/*
 * HTTP connections: reads requests, asks the handler for a decision on each,
 * and sends the answers in the order of the requests.
 */
#ifndef INCR_CONN_H
#define INCR_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/timerlist.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "net/loop.h"

/*
 * What a connection waits for.  move() of conn.c is the one place where this
 * changes.
 *
 *	IDLE <-> HEAD <-> BODY <-> WAITING <-> BLOCKED	what is to be read
 *	   any of these <-> WRITING			the client reads slowly
 *	   any of these -> LINGERING -> GONE		the last answer is out
 */
enum conn_state {
	/* with a time limit: */
	CONN_IDLE,      /* a request; holds no buffer */
	CONN_HEAD,      /* the rest of a head */
	CONN_BODY,      /* the rest of a body */
	CONN_WRITING,   /* the client to read answers: nothing is read, but
			 * what comes behind a request that was cut */
	CONN_LINGERING, /* the client's end, after the last answer: what it
			 * still sends is read, lest a reset destroy the
			 * answer */
	CONN_LIMITED,   /* how many of them */
	/* without: */
	CONN_WAITING = CONN_LIMITED, /* verdicts, and the next request */
	CONN_BLOCKED, /* verdicts, or the handler: nothing is read */
	CONN_GONE,    /* nothing: it is freed by the next conn_flush() */
	CONN_STATES
};

enum {
	CONN_READ_SIZE = 16384, /* bytes of one recv(2) */
	CONN_BODY_SIZE = 65536  /* the same of the rest of a body */
};

struct conn;

/* All connections of a server.  Set up by conn_init(); the members are conn's
 * own, but for those that are said to be read. */
struct conns {
	const struct loop *loop;
	const struct handler *handler;
	int64_t limit_ms[CONN_STATES]; /* 0 from CONN_LIMITED on */
	bool closing; /* every answer ends its connection, if it can */
	bool no_idle; /* idle connections end */
	struct timerlist lists[CONN_STATES];
	struct conn *first_queued, *last_queued; /* for conn_flush() */
	size_t count;                  /* may be read: how many there are */
	size_t surplus;                /* may be read: of them over the limit */
	bool worked;                   /* since memory was given back */
	int64_t trim_ms;               /* memory is not given back before */
	struct buf reply;              /* answers while they are sent */
	char received[CONN_BODY_SIZE]; /* while it is parsed */
};

/* Borrows loop and handler for ever, copies limit_ms. */
void conn_init(struct conns *all, const struct loop *loop,
    const struct handler *handler, const int64_t limit_ms[CONN_STATES]);

/* Takes an accepted, non-blocking socket, also on failure.  A surplus or
 * brief one ends if its head is not there in the time for one; it has only one
 * request.  0, or -1 with errno. */
int conn_open(struct conns *all, int fd, const struct origin *from);

/*
 * A decision on x that comes later than the handler's call: ANSWER, READ or
 * HOLD for a request that is held, CUT for one that is being read.  Takes the
 * answer's text.  After ANSWER x is no longer the caller's.
 */
void conn_decide(
    struct exchange *x, enum decision d, const struct response *answer);

/* From now on every answer ends its connection, if nothing waits behind it.
 * With idle, conn_tick() also ends the connections that are idle. */
void conn_close_all(struct conns *all, bool idle);

/* The end: no request is read any more.  What was received of one that is not
 * whole is answered as cut, unavailable (its lines that have verdicts keep
 * them).  Its answers leave with conn_flush(). */
void conn_cut_all(struct conns *all);

/* Sends the answers given since the last call.  Once per turn of the loop,
 * after everything that answers. */
void conn_flush(struct conns *all);

/* Ends what has taken too long; answers it if there is something to say.
 * When it is due again, IO_FOREVER if never. */
int64_t conn_tick(struct conns *all, int64_t now_ms);

/* How many connections have last answers that are still on their way. */
size_t conn_unsent(const struct conns *all);

#endif
