/*
 * Things that are due some day (layer 1): lists in which everything waits for
 * the same time, so that the first is always the next.
 */
#ifndef INCR_TIMERLIST_H
#define INCR_TIMERLIST_H

#include <stddef.h>
#include <stdint.h>

/* Inside the thing, as a member. */
struct due {
	struct due *prev, *next;
	int64_t ms; /* tick_ms() */
};

/* All zero is an empty list. */
struct due_list {
	struct due *first, *last;
	size_t n;
};

/* Adds d at the end; ms must not be before that of the last. */
void due_add(struct due_list *l, struct due *d, int64_t ms);
/* d must be in l. */
void due_remove(struct due_list *l, struct due *d);
/* When the first is due, FDIO_FOREVER if there is none. */
int64_t due_next(const struct due_list *l);

#endif
