/*
 * 16 bytes at a time, by the vector types of gcc and clang, for any processor.
 * A comparison of vectors has all bits of a byte, or none.
 */
#ifndef INCR_BYTES16_H
#define INCR_BYTES16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint64_t halves2 __attribute__((vector_size(16)));

static inline bytes16
bytes16_load(const char *from)
{
	bytes16 c;

	memcpy(&c, from, sizeof c);
	return c;
}

static inline void
bytes16_store(char *to, bytes16 c)
{
	memcpy(to, &c, sizeof c);
}

static inline bool
bytes16_any(bytes16 c)
{
	halves2 halves = (halves2)c;

	return (halves[0] | halves[1]) != 0;
}

#endif
