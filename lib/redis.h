/*
 * A connection to Redis (layer 2) that makes itself, greets, loads scripts,
 * carries one call at a time and comes back with back-off when it is lost.
 * It never blocks, prints nothing, and knows no key.  The only module that
 * includes hiredis.
 *
 * The loop is that of queue.h: redis_wait, poll, redis_step.
 *
 * Greeting: AUTH and SELECT as the URL says, INFO, SCRIPT LOAD of every
 * script.  What makes a Redis unfit for ever (a cluster, a maxmemory with
 * another policy than noeviction, a wrong password or database, a version
 * below 7) is REDIS_FAULT; what may pass (it is loading, a replica) is
 * REDIS_DOWN and tried again.
 */
#ifndef INCR_REDIS_H
#define INCR_REDIS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "resp.h"

struct redis;

enum redis_state {
	REDIS_DOWN,    /* no connection; tried again by itself */
	REDIS_IDLE,    /* a call may begin */
	REDIS_CALLING, /* a call is under way */
	REDIS_REPLIED, /* redis_reply; returned once per call */
	REDIS_REFUSED, /* an error reply; returned once per call */
	REDIS_LOST,    /* no reply will come; returned once per call */
	REDIS_FAULT    /* trying again is of no use */
};

enum { REDIS_SCRIPTS_MAX = 16 };

struct redis_options {
	const char *const *scripts; /* their texts, borrowed for ever */
	size_t n_scripts;           /* at most REDIS_SCRIPTS_MAX */
	int64_t connect_ms;         /* for the connection and the greeting */
	int64_t reply_ms;           /* without a byte moving in a call */
};

/*
 * url as in url.h.  No input or output yet.  NULL with *ret_why, constant
 * text without the URL.  Caller closes.
 */
struct redis *redis_open(
    const char *url, const struct redis_options *options, const char **ret_why);
void redis_close(struct redis *r);

/* What to poll for (fd -1: nothing), and the tick_ms() at which redis_step
 * is due even if nothing is ready. */
int64_t redis_wait(const struct redis *r, struct pollfd *ret_pfd);
enum redis_state redis_step(struct redis *r, short revents);

bool redis_idle(const struct redis *r);

/* Was the last byte of the call given to the kernel?  Stays true until the
 * next call begins. */
bool redis_sent(const struct redis *r);

/* One line, borrowed until the next step; may contain bytes from Redis. */
const char *redis_why(const struct redis *r);

/* How often a connection met another run_id than the one before it; how
 * many connections there were.  0 before the first. */
uint64_t redis_run(const struct redis *r);
uint64_t redis_connection(const struct redis *r);

/* Ends connection and call, without REDIS_LOST; connects again at once. */
void redis_hang_up(struct redis *r);

/* -- calls --------------------------------------------------------------- */

/*
 * Begins EVALSHA of a script, whose first n_keys arguments are keys.  args
 * are copied; n_more further arguments, already encoded, are sent from more
 * (may be NULL), which is borrowed until the call ends.  A script that
 * Redis has forgotten is loaded and called again without a word.
 * 0, or -1 if not idle or memory is gone.
 */
int redis_eval(struct redis *r, size_t script, size_t n_keys,
    const struct resp_args *args, const struct buf *more, size_t n_more);

/* Begins a command: its name and arguments. */
int redis_command(struct redis *r, const struct resp_args *args);

/* The reply of the last call that was REDIS_REPLIED, until the next call
 * begins; NULL if there is none. */
struct redis_reply;
const struct redis_reply *redis_reply(const struct redis *r);

/* Every accessor takes NULL for "no such thing" and answers in kind. */
size_t redis_reply_count(const struct redis_reply *p); /* 0 if no array */
const struct redis_reply *redis_reply_at(
    const struct redis_reply *p, size_t i); /* NULL if out of range */
/* NULL if it is no string; ends with a NUL that is not counted. */
const char *redis_reply_text(const struct redis_reply *p, size_t *ret_len);
/* An integer, also one in decimal digits; fallback if it is none. */
int64_t redis_reply_int(const struct redis_reply *p, int64_t fallback);

#endif
