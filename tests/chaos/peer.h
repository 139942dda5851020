/*
 * Whose connection it is: the process at the other end, what it is for.
 */
#ifndef CHAOS_PEER_H
#define CHAOS_PEER_H

#include <stdbool.h>
#include <stddef.h>

enum peer {
	PEER_UNKNOWN, /* has said nothing yet */
	PEER_CLIENT,
	PEER_REPLICA, /* of Redis, or a standby of Postgres */
	PEER_SENTINEL
};

/* Judges the first bytes of a connection. */
enum peer peer_of(const char *bytes, size_t len);

/*
 * Does the process pid of this machine hold the other end of fd, an accepted
 * Unix or TCP socket?  A Unix socket is that of the process that connected it.
 */
bool peer_is(int fd, int pid);

#endif
