/*
 * The names of messages (layer 2), which have none of their own: 16
 * hexadecimal digits of the SHA-256 of a payload.  Here: those that were
 * said.  A name said twice stands for two messages that are alike.
 */
#ifndef INCR_MESSAGE_ID_H
#define INCR_MESSAGE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAMES_TEXT = 16 };

/* The name of a payload.  0, or -1 if memory is gone. */
int names_of(const char *raw, size_t len, uint64_t *ret);

/* Writes its digits and a NUL. */
void names_format(uint64_t name, char ret[NAMES_TEXT + 1]);

/* All zero: none. */
struct names {
	struct name {
		uint64_t name;
		bool used;
	} * list; /* n of them, sorted */
	size_t n, used;
};

/* Takes n texts.  0, or -1 if memory is gone (*ret_wrong is NULL), or one
 * is no name (that one). */
int names_set(
    struct names *s, char *const *texts, size_t n, const char **ret_wrong);

/* Uses a name up, once for each time it was said.  False if it was not, or
 * not so often. */
bool names_use(struct names *s, uint64_t name);

/* As if none had been used. */
void names_restore(struct names *s);

void names_free(struct names *s);

#endif
