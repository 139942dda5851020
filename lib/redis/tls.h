/*
 * TLS over a connected, non-blocking socket, as the client.  Nothing waits
 * and nothing raises SIGPIPE.
 */
#ifndef INCR_TLS_H
#define INCR_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/reason.h"

/* File names; empty: the system's certificates, no certificate of our own. */
struct tls_files {
	const char *cacert, *cert, *key;
};

struct tls;

/* NULL if the files are there and fit, else what is wrong: constant text. */
const char *tls_check_files(const struct tls_files *files);

/*
 * Reads the files and begins a handshake with host, a name or an address in
 * digits, for which the server's certificate must be.  fd is borrowed.  NULL
 * with the reason.  Caller closes.
 */
struct tls *tls_open(int fd, const struct tls_files *files, const char *host,
    char ret_why[REASON_MAX]);
void tls_close(struct tls *t); /* NULL is allowed */

/* 1: the handshake is done.  0: not yet.  -1 with the reason. */
int tls_handshake(struct tls *t, char ret_why[REASON_MAX]);

enum { TLS_RECORD_MAX = 16384 };

/*
 * Sends a record of len bytes, at most TLS_RECORD_MAX.  Returns len; or 0 if
 * it did not go, or not whole: then the same bytes are to be given again; or
 * -1 with the reason.  After any of the three the peer may have all of it.
 */
ssize_t tls_send(
    struct tls *t, const void *p, size_t len, char ret_why[REASON_MAX]);

/*
 * Receives a record, if size is at least TLS_RECORD_MAX.  Returns its length;
 * 0 if nothing is there; -1 with the reason (end of file is one).  Nothing
 * is kept that poll does not show.
 */
ssize_t tls_receive(
    struct tls *t, void *ret, size_t size, char ret_why[REASON_MAX]);

/* What to poll for beside POLLIN: POLLOUT or 0. */
short tls_events(const struct tls *t);

/* Did a call fail for a reason that will stay: the server's certificate was
 * refused, or the server refused ours? */
bool tls_refused(const struct tls *t);

/* When a certificate ends, the server's or our own: Unix seconds; 0: there is
 * none. */
int64_t tls_expiry(const struct tls *t, bool own);

#endif
