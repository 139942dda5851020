/*
 * A session is a connection to Redis that carries one call at a time, and is
 * made again with back-off when it is lost.  It never blocks, prints nothing,
 * and knows no key.
 *
 * The loop is that of queue.h: session_wait, poll, session_step.
 *
 * After connecting comes the handshake (handshake.h), which loads the
 * scripts.  What makes a Redis unfit for ever (a maxmemory with another policy
 * than noeviction, a wrong password or database, a version below 7) is
 * SESSION_FAULT; what may pass (it is loading, a replica) is
 * SESSION_DOWN and tried again.  After the first handshake that went well the
 * former may pass, too, and so may a call's refusal for want of a permission
 * after the first call that was answered; once.h remembers both.
 *
 * Settings, and the keys that are read, may change while a connection lasts:
 * with the first call after HANDSHAKE_LOOK_MS, both are looked at again.  A
 * Redis that is unfit then is left when that call has its reply.
 *
 * A node of a Redis Cluster is recognised by its INFO.  A session belongs to
 * one slot, that of the keys that are read and of every call, and is connected
 * to the node that has it.  Where a node says MOVED, the session goes on with
 * the node that is named, at once, but with back-off if that one says the same.
 * While keys of the slot are being moved (ASK, TRYAGAIN), the connection stays,
 * and is down for some milliseconds.  Nothing is sent again by the session: a
 * call that was answered so is SESSION_REFUSED.  Any node of the cluster may be
 * in the URL, and the others are learnt from it: as long as one of those lives,
 * the session finds its own.
 */
#ifndef INCR_SESSION_H
#define INCR_SESSION_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/reason.h"
#include "redis/handshake.h"
#include "redis/redis.h"
#include "redis/resp.h"

struct session;

enum session_state {
	SESSION_DOWN,    /* no connection; tried again by itself */
	SESSION_IDLE,    /* a call may begin */
	SESSION_CALLING, /* a call is under way */
	SESSION_REPLIED, /* redis_reply; returned once per call */
	SESSION_REFUSED, /* an error reply that proves that this call did
			  * nothing; returned once per call */
	SESSION_LOST,    /* no reply will come, or another error did; returned
			  * once per call */
	SESSION_FAULT    /* trying again is of no use */
};

struct session_options {
	const char *const *scripts; /* their texts, borrowed for ever */
	size_t n_scripts;           /* at most HANDSHAKE_SCRIPTS_MAX */
	int64_t connect_ms;         /* for the connection and the handshake */
	int64_t reply_ms;           /* without a byte moving in a call */
	const struct handshake_key *keys; /* read in the handshake, borrowed
					   * for ever */
	size_t n_keys;
};

/*
 * url as in url.h, borrowed; user and password in it are read anew before every
 * connection, see options_refresh.  No input or output yet.  NULL with
 * *ret_why, constant text without the URL.  Caller closes.
 */
struct session *session_open(const char *url,
    const struct session_options *options, const char **ret_why);
void session_close(struct session *s);

/* What to poll for (fd -1: nothing), and the clock_ms() at which session_step
 * is due even if nothing is ready. */
int64_t session_wait(const struct session *s, struct pollfd *ret_pfd);
enum session_state session_step(struct session *s, short revents);

/* The connection as it is now. */
struct session_status {
	bool idle;      /* connected and no call under way: a call may begin */
	bool cluster;   /* the last one that was connected is of a cluster */
	bool following; /* the node has said which other one has the slot, and
			 * that one is being connected to: no outage yet */
	bool sent; /* the last byte of the call was handed to the kernel, or
		    * with TLS to libssl, whatever became of it; from
		    * the beginning of a call to that of the next, and once
		    * true it stays, unless Redis says that it lacks
		    * the script */
	uint64_t connections; /* made so far */
	uint64_t run;       /* changes whenever a connection was made to another
			     * run_id or replication id than the one before it:
			     * Redis was restarted or replaced, or was a replica
			     * for a while; 0 before the first */
	uint64_t maxmemory; /* of Redis, in bytes, when the connection
			     * was made; 0: none, or none made yet */
	int64_t server_expires,
	    own_expires;      /* certificates, when the
			       * connection was made: Unix seconds; 0: none */
	uint64_t waits;       /* of session_confirm that were answered */
	int64_t waited_us;    /* the last of them */
	char why[REASON_MAX]; /* why it is down, refused, lost or faulty:
			       * one line, which may contain bytes from
			       * Redis, never the URL */
};

/* Lives as long as s; every call of this module may change it. */
const struct session_status *session_status(const struct session *s);

/* Says in place of why what is known of the last loss. */
void session_explain(struct session *s, const char *why);

/* Ends the connection and the call, without SESSION_LOST; connects again after
 * a back-off, which grows until one call has followed another. */
void session_hang_up(struct session *s);

/* The same, and goes on with the next host, or sentinel, if there are several:
 * this one leads to a Redis that is of no use to the caller. */
void session_move_on(struct session *s);

/* -- calls --------------------------------------------------------------- */

/* Of the calls from now on: may their replies have more than REDIS_SMALL_BYTES?
 * Are they aside of what we are there for?  Then neither their success nor
 * their want of a permission says anything about the configuration. */
void session_expect(struct session *s, bool large, bool aside);

/*
 * Begins EVALSHA of a script, whose first n_keys arguments are keys.  args
 * are copied; more (may be NULL), those that are sent behind them, is borrowed
 * until the call ends.  A script that Redis has forgotten is loaded and
 * called again within the call.  0, or -1 if not idle or memory is gone.
 */
int session_eval(struct session *s, size_t script, size_t n_keys,
    const struct resp_args *args, const struct buf *more);

/* Commands of a transaction, encoded, and EXEC: one text in three pieces. */
struct session_commands {
	size_t n; /* without EXEC */
	const struct buf *first, *more, *last;
};

/*
 * Begins a transaction: MULTI, EVALSHA of a script as above, commands, EXEC.
 * The commands, whose more and last are borrowed until the call ends, do
 * nothing if the script has failed.  It is sent only once MULTI was answered
 * (transaction.h).  SESSION_REPLIED: the reply is a list of 1 + n, the first of
 * them no error.  SESSION_REFUSED: nothing was done.
 */
int session_transaction(struct session *s, size_t script, size_t n_keys,
    const struct resp_args *args, const struct session_commands *commands);

/* Begins a command: its name and arguments. */
int session_command(struct session *s, const struct resp_args *args);

/*
 * After SESSION_REPLIED, before another call: waits until n replicas have what
 * this connection has written.  SESSION_REPLIED once more then, with the same
 * reply; SESSION_LOST if after wait_ms fewer have it, and the connection
 * stays, unless that lasts.  0, or -1 if not idle or memory is gone.
 */
int session_confirm(struct session *s, uint64_t n, int64_t wait_ms);

/* The reply of the last call that was SESSION_REPLIED, until the next call
 * begins; NULL if there is none. */
const struct redis_reply *session_reply(const struct session *s);

#endif
