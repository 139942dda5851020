/*
 * Certificates of a TLS connection.
 */
#ifndef INCR_CERTIFICATE_H
#define INCR_CERTIFICATE_H

#include <stdint.h>

struct ssl_st; /* libssl's SSL */

/* When they end, Unix seconds; 0: there is none, or nobody verifies that of the
 * server. */
struct certificate_expiry {
	int64_t server, own;
};

/* ssl may be NULL: no TLS. */
struct certificate_expiry certificate_expiry(const struct ssl_st *ssl);

#endif
