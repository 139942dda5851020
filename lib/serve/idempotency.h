/*
 * The fields Idempotency-Key and Incr-Line-Offset, and the tags of lines made
 * of them.
 *
 *	Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"
 *	Incr-Line-Offset: 5000
 *
 * The field is that of draft-ietf-httpapi-idempotency-key-header: a string
 * of RFC 8941; a bare word is taken, too, and means the same.
 *
 * With Incr-Line-Offset: N the lines of a request are lines N+1, N+2 ... of its
 * key, so that a file sent in pieces has one key, whatever the pieces.
 *
 * The tag of line n of a key is the digest of (client, key), then n:
 *
 *	jw2fbGmyVUwYB7wLnfTMC_aE.1
 *
 * so that two clients never have the same tag, whatever keys they choose, and a
 * tag tells neither.  144 bits of SHA-256: an attacker who wants two pairs with
 * one digest, to have the increment of another client refused, needs 2^72
 * tries, and SHA-256 has no shortcut, which SHA-1 (the UUIDs of version 5) has.
 * The number of the line needs no digest.
 */
#ifndef INCR_IDEMPOTENCY_H
#define INCR_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IDEMPOTENCY_KEY_MAX = 255, /* characters of a key */
	IDEMPOTENCY_BASE = 24,     /* characters of a digest */
	IDEMPOTENCY_DIGITS = 15,   /* of an offset: an integer of RFC 8941 */
	IDEMPOTENCY_TEXT = IDEMPOTENCY_BASE + 1 + IDEMPOTENCY_DIGITS + 1
};

struct idempotency_key {
	uint8_t len;
	char text[IDEMPOTENCY_KEY_MAX];
};

/*
 * Reads a field's value: "..." with 1 to 255 printable characters, of which
 * " and \ are escaped, or 1 to 255 visible ones that don't begin with ".
 * 0 or -1.  Pure.
 */
int idempotency_read(
    const char *value, size_t len, struct idempotency_key *ret);

/* Reads the value of Incr-Line-Offset: 1 to 15 digits.  0 or -1.  Pure. */
int idempotency_read_offset(const char *value, size_t len, uint64_t *ret);

/* What a request's tags are made of.  All zero is none. */
struct idempotency_tag {
	char base[IDEMPOTENCY_BASE];
	uint64_t offset; /* lines of the key before those of the request */
};

/* With offset 0; client is "" or its name.  0, or -1 if there is no memory. */
int idempotency_make(const char *client, const struct idempotency_key *key,
    struct idempotency_tag *ret);

bool idempotency_is_none(const struct idempotency_tag *t);

/* Writes the tag of a line of the request, from 1, no NUL; its length.  0 for
 * none. */
size_t idempotency_format(
    const struct idempotency_tag *t, uint32_t line, char ret[IDEMPOTENCY_TEXT]);

#endif
