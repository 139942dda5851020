/*
 * Listening sockets, and when connections are accepted on them.
 *
 * Over the limit a few more connections are accepted to be answered 503
 * (struct origin: surplus), if the acceptor has room for them.  When these are
 * many, too, or the system has no descriptor left, clients wait in the
 * sockets' queues and nothing spins.
 */
#ifndef INCR_ACCEPTOR_H
#define INCR_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/conn.h"
#include "net/listen.h"
#include "net/loop.h"

struct acceptor;

struct acceptor_socket {
	struct loop_fd watch; /* first: its address is the socket's */
	struct listener listener;
	uint8_t role;   /* of its connections */
	bool inherited; /* whoever gave it keeps it, too */
	struct acceptor *all;
};

struct acceptor_limits {
	size_t max_conns;
	size_t max_surplus; /* connections over the limit */
	bool brief;         /* one request per connection, at once */
};

/* Set up by acceptor_init(). */
struct acceptor {
	struct conns *conns;
	struct acceptor_limits set;
	struct acceptor_socket sockets[LISTEN_MAX];
	size_t n;
	bool paused;
	int64_t retry_ms; /* the end of the pause; IO_FOREVER: until a
			   * connection ends */
};

/* Raises RLIMIT_NOFILE to its hard limit, and allows as many connections as
 * fit in it, at most those of limits.  Borrows conns for ever. */
void acceptor_init(struct acceptor *a, struct conns *conns,
    const struct acceptor_limits *limits);

/* As many of max_conns connections as acceptor_init would allow. */
size_t acceptor_room(size_t max_conns);

/* Opens addr (listen.h) and accepts on it from now on; role is that of the
 * connections.  0, or -1 with *ret_why. */
int acceptor_open(
    struct acceptor *a, const char *addr, uint8_t role, const char **ret_why);

/* The same for the sockets of LISTEN_FDS; their number, or -1. */
int acceptor_inherit(struct acceptor *a, uint8_t role, const char **ret_why);

/* Are all sockets so far Unix sockets or on loopback? */
bool acceptor_is_local(const struct acceptor *a);

/* Were all sockets inherited, so that they outlive this process, and clients
 * that connect are served by the next? */
bool acceptor_is_outlived(const struct acceptor *a);

/* Adds the TCP ports, one per line, in the order they were opened.  0, or -1
 * if there is no memory. */
int acceptor_ports(const struct acceptor *a, struct buf *out);

/* Accepts again if that is possible.  Once per turn of the loop.  When it is
 * due again, IO_FOREVER if nothing waits for time. */
int64_t acceptor_tick(struct acceptor *a, int64_t now_ms);

/* Closes all sockets, removes their paths. */
void acceptor_close(struct acceptor *a);

#endif
