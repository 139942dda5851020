/*
 * One non-blocking connection to Redis and the replies that come over it.
 * The only module that includes hiredis.  When to connect, what to send and
 * when to connect again is the job of session.h.
 */
#ifndef INCR_REDIS_H
#define INCR_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/reason.h"
#include "redis/tls.h"

struct redis;

/* Without a sign of life from a TCP peer: the connection is broken. */
enum { REDIS_SILENCE_MS = 5000 };

/* Bytes of a Unix socket's path at most, sockaddr_un. */
size_t redis_path_max(void);

/*
 * Begins to connect to a socket, or to an address in digits and a port.
 * NULL with the reason in why.  Caller closes.
 */
struct redis *redis_connect_unix(const char *path, char ret_why[REASON_MAX]);
struct redis *redis_connect_tcp(
    const char *address, int port, char ret_why[REASON_MAX]);

/* NULL is allowed. */
void redis_close(struct redis *r);

int redis_fd(const struct redis *r);

/* Once it is writable: is it connected?  0, or -1 with the reason. */
int redis_connected(struct redis *r, char ret_why[REASON_MAX]);

/*
 * TLS from now on, before anything was sent; the arguments are those of
 * tls_open.  0, or -1 with the reason.
 */
int redis_secure(struct redis *r, const struct tls_files *files,
    const char *host, char ret_why[REASON_MAX]);
/* 1: its handshake is done.  0: not yet.  -1 with the reason. */
int redis_secured(struct redis *r, char ret_why[REASON_MAX]);
/* Was TLS refused, by either side, for a reason that will stay? */
bool redis_refused(const struct redis *r);
/* tls_expiry; 0 without TLS. */
int64_t redis_expiry(const struct redis *r, bool own);

/* What to poll for, if there is nothing to send. */
short redis_events(const struct redis *r);

/*
 * Sends the bytes of all parts from *done on, as many as go, and moves
 * *done.  *handed, at least *done: bytes that the server may have, since TLS
 * does not tell.  Both begin at 0.  0, or -1 with the reason.  A closed
 * connection raises no SIGPIPE.
 */
enum { REDIS_PARTS = 3 };
int redis_send(struct redis *r, const struct iovec part[REDIS_PARTS],
    size_t *done, size_t *handed, char ret_why[REASON_MAX]);

/* The bytes of all parts. */
size_t redis_parts_len(const struct iovec part[REDIS_PARTS]);

/* How large a reply may be from now on: REDIS_SMALL, unless large is asked for.
 * hiredis keeps all of it in memory. */
enum {
	REDIS_SMALL_BYTES = 16 << 20, /* numbers of each line of a batch */
	REDIS_SMALL_PARTS = 1 << 20,  /* numbers of all batches of a day */
	/* A payload has at most 512 MiB, a batch else 16; a consumer holds at
	 * most a thousand batches. */
	REDIS_LARGE_BYTES = 640 << 20,
	REDIS_LARGE_PARTS = 1 << 22
};
void redis_bound(struct redis *r, bool large);

/* Bytes that have come of the reply that is being read. */
size_t redis_received(const struct redis *r);

/*
 * Reads what is there, until one reply is complete: *ret, caller frees, or
 * NULL if it is not all there yet.  *ret_moved: did any byte come?
 * 0, or -1 with the reason (end of file is one).
 */
struct redis_reply;
int redis_receive(struct redis *r, struct redis_reply **ret, bool *ret_moved,
    char ret_why[REASON_MAX]);

/* -- replies: every accessor takes NULL for "no such thing" -------------- */

/* The reply that bytes begin with, as if they had been received; NULL if there
 * is no whole one, or one that is refused.  Caller frees. */
struct redis_reply *redis_reply_parse(const char *bytes, size_t len);
void redis_reply_free(struct redis_reply *p);
/* Its text if it is an error, else NULL. */
const char *redis_reply_error(const struct redis_reply *p);
/* 0 if it is no array. */
size_t redis_reply_count(const struct redis_reply *p);
bool redis_reply_is_list(const struct redis_reply *p);
bool redis_reply_is_nil(const struct redis_reply *p);
/* NULL if out of range; lives as long as p. */
const struct redis_reply *redis_reply_at(const struct redis_reply *p, size_t i);
/* NULL if it is no string; ends with a NUL that is not counted. */
const char *redis_reply_text(const struct redis_reply *p, size_t *ret_len);
/* An integer, also one in decimal digits; fallback if it is none. */
int64_t redis_reply_int(const struct redis_reply *p, int64_t fallback);

#endif
