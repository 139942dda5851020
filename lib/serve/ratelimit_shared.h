/*
 * Rate limits shared by all servers of one Redis (layer 3).
 *
 * Ten times a second, in one call, a server tells Redis what it has let in,
 * and learns from the reply what its clients owe for all that they took
 * anywhere.  Nobody waits for it: a request is judged by what is known.  So
 * a client who asks several servers at once may be let in by each until the
 * next call, and pays for it afterwards.  Without Redis each server's own
 * limit holds.
 */
#ifndef INCR_RATELIMIT_SHARED_H
#define INCR_RATELIMIT_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "serve/ratelimit.h"

/* Tells, and raises what is known in r, which is borrowed for ever.  url as
 * in url.h, borrowed for ever.  0, or -1 with *ret_why, constant. */
int ratelimit_shared_open(
    const char *url, struct ratelimit *r, const char **ret_why);
void ratelimit_shared_close(void);

/* key has taken n units here.  Nothing if not open. */
void ratelimit_shared_spent(const struct ratelimit_key *key,
    const struct ratelimit_quota *limit, uint32_t n, int64_t now_ns);

/* Once per turn of the loop; when it is due again. */
int64_t ratelimit_shared_tick(int64_t now_ms);

/* Why limits are not shared now, once each time they begin not to be, else
 * NULL; borrowed until the next tick. */
const char *ratelimit_shared_trouble(void);

#endif
