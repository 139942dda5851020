/*
 * Who asks (layer 1): the client of a request.
 */
#ifndef INCR_CLIENT_H
#define INCR_CLIENT_H

enum { CLIENT_NAME_MAX = 64 };

/* All zero is nobody yet. */
struct client {
	/* Of its token: 1 to 64 of A-Z a-z 0-9 . _ -; "" without one.  What
	 * belongs to a client (idempotency keys) belongs to this name. */
	char name[CLIENT_NAME_MAX + 1];
};

#endif
