/*
 * Rate limits shared by all servers of one Redis.
 *
 * Ten times a second, in one call, a server sends Redis what it has let in,
 * and learns from the reply what its clients owe for all that they took
 * anywhere.  No request waits for it: each is judged by what is known.  So a
 * client that asks several servers at once may be let in by each until the
 * next call, and pays for it afterwards.  Without Redis each server's own
 * limit holds.
 */
#ifndef INCR_RATELIMIT_SHARED_H
#define INCR_RATELIMIT_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "net/loop.h"
#include "redis/session.h"
#include "serve/ratelimit.h"

struct ratelimit_spendings;

/* All zero is not open: nothing is shared. */
struct ratelimit_shared {
	struct session *session;
	struct ratelimit *rates;
	const char *url;
	const struct loop *loop;
	struct loop_fd watch;
	int64_t due_ms;                   /* of the session */
	int64_t next_ms;                  /* the next call, not before */
	struct ratelimit_spendings *here; /* since the last call */
	struct ratelimit_spendings *sent; /* with a call under way */
	bool faulty;                      /* asked again after a while */
	bool noted;                       /* the trouble, until it is over */
	bool to_say;                      /* by ratelimit_shared_trouble() */
	char trouble[REASON_MAX];
};

/* Shares what is spent, and raises what clients owe in r.  r, loop and url
 * (url.h) are borrowed for ever.  0, or -1 with *ret_why, constant. */
int ratelimit_shared_open(struct ratelimit_shared *s, const struct loop *loop,
    const char *url, struct ratelimit *r, const char **ret_why);
void ratelimit_shared_close(struct ratelimit_shared *s);

/* key has taken n units here.  Nothing if not open. */
void ratelimit_shared_spent(struct ratelimit_shared *s,
    const struct ratelimit_key *key, const struct ratelimit_quota *limit,
    uint32_t n, int64_t now_ns);

/* Once per turn of the loop; when it is due again. */
int64_t ratelimit_shared_tick(struct ratelimit_shared *s, int64_t now_ms);

/* Is reply one to a call about n clients: n numbers, none of them negative? */
bool ratelimit_shared_is_answer(const struct redis_reply *reply, size_t n);

/* Why limits are not shared now, once each time that begins, else NULL;
 * borrowed until the next tick. */
const char *ratelimit_shared_trouble(struct ratelimit_shared *s);

#endif
