/*
 * The inside of a session: its state, and how a call is sent.  For session.c
 * and session_call.c alone.
 */
#ifndef INCR_SESSION_CALL_H
#define INCR_SESSION_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/once.h"
#include "base/url.h"
#include "redis/dial.h"
#include "redis/handshake.h"
#include "redis/replicas.h"
#include "redis/sending.h"
#include "redis/session.h"
#include "redis/transaction.h"

/* Bytes of a call per millisecond: who is slower hangs on to the connection. */
enum { SESSION_SLOWEST = 4 };

enum phase {
	WAITING,    /* no connection before due_ms */
	DIALING,    /* a connection is being made; dial.c has the time limit */
	HANDSHAKE,  /* the handshake was sent; due_ms is that of the dialing */
	READY,      /* no call under way */
	HELD,       /* the same, and none begins before due_ms: keys of a
		     * cluster are being moved */
	OPENING,    /* MULTI was sent, the call comes when it was answered */
	CALLING,    /* a call was begun: due_ms without a byte moved, or with
		     * fewer bytes than SESSION_SLOWEST */
	CONFIRMING, /* WAIT was sent behind it */
	RELOADING,  /* the call once more, but the scripts are loaded first */
	FAULTY      /* for ever */
};

struct session {
	const char *text; /* of the URL; @FILE may have another password */
	struct url_redis url;
	struct session_options options;
	enum phase phase;
	int64_t due_ms; /* when the phase ends; IO_FOREVER: not by time */
	struct backoff backoff; /* until a call follows one with its reply */
	struct backoff hold;    /* of HELD, until a call has its reply */
	unsigned n_moved;       /* nodes that were followed since */
	bool served;            /* a call had its reply on this connection */
	int64_t ready_ms;       /* when the handshake was done */
	struct dial *dial;
	struct redis *redis; /* NULL: no connection */

	struct buf handshake_request, opening, call; /* as they are sent */
	struct iovec more[REDIS_PARTS - 1];          /* of the call, borrowed */
	struct sending sending;

	struct handshake handshake;
	bool rest;                      /* its second half is under way */
	struct transaction transaction; /* that the call is, if it has n */
	bool looks;                     /* a look stands in front of the call */
	bool large;                     /* the reply to the call may be */
	bool aside;       /* the call is not what we are there for */
	int64_t begun_ms; /* when it was sent */
	char run_id[HANDSHAKE_RUN_ID_MAX]; /* of the last connection */
	struct redis_reply *reply;
	struct once once; /* the handshake; a call without an error */
	struct replicas replicas;
	struct session_status status;
};

/* The only place where the phase changes. */
void session_call_enter(struct session *s, enum phase phase, int64_t due_ms);

/* Sends the call that was begun, from its beginning. */
void session_call_send(struct session *s);

/* Was that a reply in the middle of a call that is a transaction?  Once MULTI
 * is answered, the rest is sent. */
bool session_call_goes_on(struct session *s, const struct redis_reply *reply);

/* Of the last reply to a call: the text of the error that it is, or that the
 * transaction came to; NULL: none. */
const char *session_call_error(
    const struct session *s, const struct redis_reply *reply);

/* Does that error, which is why, prove that the call did nothing? */
bool session_call_did_nothing(const struct session *s);

/* Sends what goes.  0, or -1 with why. */
int session_call_step(struct session *s);

/* Bytes of a call moved: its time-out begins again, unless they are few. */
void session_call_moved(struct session *s);

#endif
