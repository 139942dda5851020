/*
 * Who asks (layer 2): the client of a request, and how much it may.
 */
#ifndef INCR_CLIENT_H
#define INCR_CLIENT_H

#include "serve/ratelimit.h"

enum { CLIENT_NAME_MAX = 64 };

/* All zero is nobody yet. */
struct client {
	/* Of its token: 1 to 64 of A-Z a-z 0-9 . _ -; "" without one.  What
	 * belongs to a client (idempotency keys) belongs to this name. */
	char name[CLIENT_NAME_MAX + 1];
	bool own_limit;               /* of its token, not everybody's */
	struct ratelimit_key key;     /* whose limit it is */
	struct ratelimit_quota limit; /* none: all may pass */
};

#endif
