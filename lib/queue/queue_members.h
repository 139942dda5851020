/*
 * The consumers whose keys a script is given.
 *
 * A script may touch the keys that its call declares, and no others.  So the
 * caller names those of the consumers that it knows of.  If others are
 * registered, too, the script does nothing: its reply is 'again' and the ids of
 * all, and the call is made again with these.  They stay known for the next
 * call, so that it is one round trip again.
 */
#ifndef INCR_QUEUE_MEMBERS_H
#define INCR_QUEUE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "record/id.h"

struct queue;
struct redis_reply;

/* Rounds of one call, before it fails: consumers register meanwhile. */
enum { QUEUE_MEMBERS_ROUNDS = 16 };

/* All zero: none is known.  Freed by queue_members_free. */
struct queue_members {
	struct id *ids;
	size_t n;
	unsigned rounds; /* of the call */
};

/* Is it {'again', ...}? */
bool queue_members_changed(const struct redis_reply *reply);

/* Knows the consumers that reply lists, from element first on, and no others.
 * What is no id is left out, as the scripts do.  0, or -1 if an element is no
 * text, or memory is gone. */
int queue_members_note(
    struct queue_members *m, const struct redis_reply *reply, size_t first);

/* May the call be made once more? */
bool queue_members_go_on(struct queue_members *m);

/* Add arguments: n keys of each consumer, as queue_call_consumer_key, returning
 * how many that are; the ids. */
size_t queue_members_keys(struct queue *q, const char *const *rests, size_t n);
void queue_members_ids(struct queue *q);

void queue_members_free(struct queue_members *m);

#endif
