/*
 * The batches of a publisher that wait to be sent, the oldest first: one fills,
 * and more only where the lines of one shard must not hold up others.
 */
#ifndef INCR_BATCH_LIST_H
#define INCR_BATCH_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "publish/publish_batch.h"

struct batch_list {
	struct publish_batch **list;
	size_t n, cap;
	struct publish_batch *spare; /* NULL: none */
	bool echo, tagged;
	bool keeps; /* of batches from now on, see publish_batch.h */
	size_t max; /* lines of each */
};

/* An empty batch for batch_list_take; NULL if memory is gone. */
struct publish_batch *batch_list_make(const struct batch_list *l);
void batch_list_discard(struct publish_batch *b);

/* With one empty batch.  0, or -1 if memory is gone; closed in any case. */
int batch_list_open(
    struct batch_list *l, bool echo, bool tagged, bool keeps, size_t max);
void batch_list_close(struct batch_list *l);

/* The oldest one, and the one that fills; the same if there is one. */
static inline struct publish_batch *
batch_list_first(const struct batch_list *l)
{
	return l->list[0];
}

static inline struct publish_batch *
batch_list_last(const struct batch_list *l)
{
	return l->list[l->n - 1];
}

/* Adds an empty one, which fills from now on.  0, or -1 if memory is gone. */
int batch_list_more(struct batch_list *l);

/* Takes the oldest one, which is the caller's then, in exchange for an empty
 * one, which fills if there was no other. */
struct publish_batch *batch_list_take(
    struct batch_list *l, struct publish_batch *empty);

/* Removes the oldest one, which is empty.  False: there is no other. */
bool batch_list_drop(struct batch_list *l);

/* Of all: the data, and the bytes of their text. */
size_t batch_list_data(const struct batch_list *l);
size_t batch_list_bytes(const struct batch_list *l);

#endif
