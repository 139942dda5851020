/*
 * The field Idempotency-Key of a request: a string of RFC 8941, section 3.3.3.
 *
 *	Idempotency-Key: "a \"file\" of May"
 */
#ifndef INCR_KEY_FIELD_H
#define INCR_KEY_FIELD_H

#define KEY_FIELD_NAME "Idempotency-Key: \""

enum {
	KEY_FIELD_KEY_MAX = 255, /* characters of a key */
	KEY_FIELD_MAX = sizeof KEY_FIELD_NAME + 2 * KEY_FIELD_KEY_MAX + 1
};

/* Writes the field for a key of 1 to KEY_FIELD_KEY_MAX printable ASCII
 * characters, with a NUL. */
void key_field_format(const char *key, char ret[KEY_FIELD_MAX]);

#endif
