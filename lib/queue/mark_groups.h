/*
 * The lines of a publish that have tags, in groups whose marks are looked for
 * at once: those of one block that follow one another, and all singles of one
 * pair of shelves; and, as one group, those of pairs with few.
 *
 * What the script gets of them: the keys of each group, written at once; its
 * letter and how many lines it has, as text; and of each line its number, field
 * and mark as MessagePack.
 */
#ifndef INCR_MARK_GROUPS_H
#define INCR_MARK_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct queue;
struct queue_lines;

struct mark_groups {
	struct buf text, packed; /* cleared and filled by the function */
	size_t n_keys;           /* that were added to q->args */
};

/* with_seen: each line also has the key of the mark that a release before has
 * of its tag.  0, or -1 if memory is gone. */
int mark_groups_make(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, bool with_seen);
void mark_groups_free(struct mark_groups *g);

#endif
