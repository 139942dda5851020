/*
 * Listening sockets and when to accept on them (layer 3).
 *
 * Over the most connections allowed a few more are taken to be told so
 * (conn.h: surplus).  When these are many, too, or the system has no
 * descriptor left, clients wait in the sockets' queues and nothing spins.
 */
#ifndef INCR_ACCEPTOR_H
#define INCR_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Raises RLIMIT_NOFILE to its hard limit, and allows as many connections as
 * fit in it, at most wanted. */
void acceptor_limit(size_t wanted);

/* Opens addr (listener.h) and accepts on it from now on; role is that of the
 * connections (conn.h).  0, or -1 with *ret_why. */
int acceptor_open(const char *addr, uint8_t role, const char **ret_why);

/* The same for the sockets handed over; their number, or -1. */
int acceptor_inherit(uint8_t role, const char **ret_why);

/* Do all sockets so far only let this machine in: Unix sockets, loopback? */
bool acceptor_is_local(void);

/* Adds the TCP ports, one per line, in the order they were opened.  0, or -1
 * if memory is gone. */
int acceptor_ports(struct buf *out);

/* Accepts again if that is possible.  Once per turn of the loop.  When it is
 * due again, IO_FOREVER if nothing waits for time. */
int64_t acceptor_tick(int64_t now_ms);

/* Closes all sockets, removes their paths. */
void acceptor_close(void);

#endif
