/*
 * Ids of messages, which have none of their own: the first 64 bits of the
 * SHA-256 of a payload without its label (label.h), written as 16 hexadecimal
 * digits in lower case.  Equal messages have the same id.
 */
#ifndef INCR_MESSAGE_ID_H
#define INCR_MESSAGE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_ID_TEXT = 16 };

/* Computes the id of a raw payload.  0, or -1 with errno ENOMEM. */
int message_id_of(const char *raw, size_t len, uint64_t *ret);

/* Writes the digits of an id and a NUL. */
void message_id_format(uint64_t id, char ret[MESSAGE_ID_TEXT + 1]);

/* A list of ids to look for; one given twice stands for two messages.  All
 * zero: an empty list. */
struct message_ids {
	struct message_id {
		uint64_t id;
		bool used;
	} * list;       /* n of them, sorted; owned */
	size_t n, used; /* how many of them are used */
};

/* Sets the list to n ids, given as texts.  0; -1 with *ret_wrong NULL and
 * errno ENOMEM; -1 with *ret_wrong a text that is no id: the list is empty.
 * The caller frees. */
int message_id_set(struct message_ids *s, char *const *texts, size_t n,
    const char **ret_wrong);

/* Uses an id of the list, once for each time it was given.  False if it was
 * not given, or has been used as often. */
bool message_id_use(struct message_ids *s, uint64_t id);

/* Makes all ids of the list unused. */
void message_id_restore(struct message_ids *s);

void message_id_free(struct message_ids *s);

#endif
