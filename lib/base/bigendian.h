/*
 * Integers in network byte order: the most significant byte first.  Pure.
 */
#ifndef INCR_BIGENDIAN_H
#define INCR_BIGENDIAN_H

#include <stdint.h>

/* Each writes 2, 4 or 8 bytes and returns the end of what it wrote. */
char *bigendian_put16(char *to, uint16_t n);
char *bigendian_put32(char *to, uint32_t n);
char *bigendian_put64(char *to, uint64_t n);

/* The number in 8 bytes. */
uint64_t bigendian_get64(const void *from);

#endif
