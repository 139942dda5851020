/*
 * Lists of timers with the same duration: each is added at the end, so the
 * first is always the next that is due.
 */
#ifndef INCR_TIMERLIST_H
#define INCR_TIMERLIST_H

#include <stddef.h>
#include <stdint.h>

/* A member of the struct that waits. */
struct timer {
	struct timer *prev, *next;
	int64_t ms; /* clock_ms() */
};

/* All zero is an empty list. */
struct timerlist {
	struct timer *first, *last;
	size_t n;
};

/* Adds d at the end; ms must not be before that of the last. */
void timerlist_add(struct timerlist *l, struct timer *d, int64_t ms);
/* d must be in l. */
void timerlist_remove(struct timerlist *l, struct timer *d);
/* When the first is due, IO_FOREVER if there is none. */
int64_t timerlist_next(const struct timerlist *l);

#endif
