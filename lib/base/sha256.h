/*
 * SHA-256, by libcrypto.
 */
#ifndef INCR_SHA256_H
#define INCR_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };

/* The digest of len bytes.  0, or -1 if the library fails, for which there is
 * no other reason than ENOMEM. */
int sha256_digest(const void *p, size_t len, uint8_t ret[SHA256_BYTES]);

/* Are they equal?  Takes the same time wherever they differ. */
bool sha256_equal(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES]);

#endif
