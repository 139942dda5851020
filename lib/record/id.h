/*
 * UUIDs: 16 bytes, and the 36-character form of RFC 9562.
 */
#ifndef INCR_ID_H
#define INCR_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_BYTES = 16, ID_TEXT = 36 };

struct id {
	uint8_t bytes[ID_BYTES];
};

/* A new random UUID (version 4). */
void id_make(struct id *ret);

/* Parses exactly 36 characters, either case, any version, nil and max
 * included.  0 or -1. */
int id_parse(const char *text, size_t len, struct id *ret);

/* The same for lower case only: what id_format writes. */
int id_parse_lower(const char *text, size_t len, struct id *ret);

/* Would id_parse_lower take these 36 characters? */
bool id_is_lower(const char text[ID_TEXT]);

/* Writes 36 characters in lower case and a NUL. */
void id_format(const struct id *id, char ret[ID_TEXT + 1]);

int id_equal(const struct id *a, const struct id *b);

#endif
