/*
 * The client of a request: its name and its rate limit.
 */
#ifndef INCR_CLIENT_H
#define INCR_CLIENT_H

#include "serve/ratelimit.h"

enum { CLIENT_NAME_MAX = 64 };

/* All zero is not known yet. */
struct client {
	/* Of its token: 1 to 64 of A-Z a-z 0-9 . _ -; "" without one.  What
	 * belongs to a client (idempotency keys) belongs to this name. */
	char name[CLIENT_NAME_MAX + 1];
	struct ratelimit_key who;     /* takes a place: access_identify() */
	bool own_limit;               /* of its token, not the default */
	bool old_token;               /* its name has a newer one, tokens.h */
	struct ratelimit_key key;     /* of its limit */
	struct ratelimit_quota limit; /* none: all may pass */
};

#endif
