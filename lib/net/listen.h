/*
 * Listening sockets: TCP, Unix sockets, and those of sd_listen_fds(3).
 */
#ifndef INCR_LISTEN_H
#define INCR_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LISTEN_MAX = 32, LISTEN_ADDR = 108 /* bytes, with its NUL */ };

/* A socket that listens; all zero is none. */
struct listener {
	int fd;
	char path[LISTEN_ADDR]; /* of a Unix socket made here, else "" */
	dev_t dev;              /* and what it was when made */
	ino_t ino;
};

/*
 * Opens what addr names: host:port, [v6]:port, :port (every address of this
 * machine), or a path with a / (a Unix socket, mode 0660).  A stale socket
 * at that path is replaced, but only after a refused connect; two servers that
 * start at once can't replace each other's.  A host with several addresses
 * gives several sockets.  Non-blocking, close-on-exec.
 *
 * The number of listeners filled (at most n), or -1 with *ret_why, one
 * line, constant or strerror's: nothing is left open.
 */
int listen_open(
    const char *addr, struct listener *ret, int n, const char **ret_why);

/* Could listen_open open addr?  Nothing is left behind, and a server that
 * listens there is not disturbed. */
enum listen_probe {
	LISTEN_FREE,
	LISTEN_STALE, /* a socket that nobody listens on would be replaced */
	LISTEN_TAKEN  /* no: *ret_why, one line */
};
/* *ret_local: as listen_is_local of all that it is, unless LISTEN_TAKEN. */
enum listen_probe listen_probe(
    const char *addr, bool *ret_local, const char **ret_why);

/* NULL, or the form that addr should have. */
const char *listen_judge(const char *addr);

/* Takes over the sockets of sd_listen_fds(3), if they are meant for this
 * process.  Their number (0: none), or -1 with *ret_why. */
int listen_inherit(struct listener *ret, int n, const char **ret_why);

/*
 * The opposite: makes the n listeners the descriptors from 3 on, in place of
 * what had these numbers, and says so in the environment of this process,
 * which execs another program next.  0, or -1 with errno.  They stay the
 * caller's to close.
 */
int listen_hand_over(struct listener *l, int n);

/* The port of a TCP socket, 0 of a Unix socket. */
int listen_port(const struct listener *l);

/* Is it a Unix socket, or on a loopback address? */
bool listen_is_local(const struct listener *l);

/* Closes; unlinks the path if it is still the socket made here. */
void listen_close(struct listener *l);

#endif
