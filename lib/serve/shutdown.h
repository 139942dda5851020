/*
 * The end of incr-serve: in order after a signal, sooner after a failure of
 * the backend.
 *
 *	RUNNING -> UNREADY -> DRAINING -> LEAVING -> end
 *	        `> HANDING '
 *
 * A server whose sockets close with it begins with UNREADY, so that a proxy
 * finds another one.  One whose sockets outlive it begins with HANDING: clients
 * that connect wait for the next server.
 * It goes only forward, and may leave stages out.  move() of shutdown.c is the
 * one place where the stage changes.
 */
#ifndef INCR_SHUTDOWN_H
#define INCR_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "serve/server.h"

enum {
	SHUTDOWN_LINGER_MS = 1000, /* for last answers to be read, at least */
	SHUTDOWN_IDLE_MS = 500     /* of HANDING, until idle connections end;
				    * again as long until it is over */
};

enum shutdown_stage {
	SHUTDOWN_RUNNING,
	SHUTDOWN_UNREADY,  /* /health/ready says no; requests are taken */
	SHUTDOWN_HANDING,  /* nothing is accepted; requests on connections are
			    * taken, each is the last of its connection */
	SHUTDOWN_DRAINING, /* nothing is accepted, verdicts are read to their
			    * end */
	SHUTDOWN_LEAVING   /* all is answered; clients read the last answers */
};

struct shutdown {
	struct server *server;
	int64_t unready_ms; /* how long UNREADY takes */
	int64_t grace_ms;   /* for everything up to LEAVING */
	enum shutdown_stage stage;
	bool outlived;        /* the sockets for requests outlive the server */
	bool idle_closed;     /* in HANDING: idle connections end now */
	int64_t stage_due_ms; /* its end by time; IO_FOREVER: none */
	int64_t grace_due_ms;
	int status; /* exit status */
	char why[256];
};

/* Borrows server, which is open, for ever. */
void shutdown_init(struct shutdown *s, struct server *server,
    int64_t unready_ms, int64_t grace_ms);

/* After a signal.  More of them change nothing. */
void shutdown_begin(struct shutdown *s);

/*
 * Moves on by the state of the backend and by the clock.  Once per turn of the
 * loop.  A reason to be logged, "object: reason", valid until the next call,
 * or NULL.
 */
const char *shutdown_step(struct shutdown *s, int64_t now_ms);

/* Ends the output when it is draining and all lines are written.  Behind
 * server_send(). */
void shutdown_close_output(struct shutdown *s);

/* When shutdown_step() or shutdown_done() is due by the clock. */
int64_t shutdown_due(const struct shutdown *s);

/* Is it the end: all answers read, or their time over? */
bool shutdown_done(const struct shutdown *s);

#endif
