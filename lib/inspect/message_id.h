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

enum { MESSAGE_ID_TEXT = 16 };

/* The name of a payload.  0, or -1 if memory is gone. */
int message_id_of(const char *raw, size_t len, uint64_t *ret);

/* Writes its digits and a NUL. */
void message_id_format(uint64_t name, char ret[MESSAGE_ID_TEXT + 1]);

/* All zero: none. */
struct message_ids {
	struct message_id {
		uint64_t name;
		bool used;
	} * list; /* n of them, sorted */
	size_t n, used;
};

/* Takes n texts.  0, or -1 if memory is gone (*ret_wrong is NULL), or one
 * is no name (that one). */
int message_id_set(struct message_ids *s, char *const *texts, size_t n,
    const char **ret_wrong);

/* Uses a name up, once for each time it was said.  False if it was not, or
 * not so often. */
bool message_id_use(struct message_ids *s, uint64_t name);

/* As if none had been used. */
void message_id_restore(struct message_ids *s);

void message_id_free(struct message_ids *s);

#endif
