/*
 * When it is said that messages have become dead letters: at once, and after
 * that once a minute at most, with how many there are since.  Pure.
 */
#ifndef INCR_DEAD_LETTERS_H
#define INCR_DEAD_LETTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"

enum { DEAD_LETTERS_REST_MS = 60000 };

/* All zero: nothing was said. */
struct dead_letters {
	uint64_t said;    /* of all that there were */
	int64_t since_ms; /* clock_ms() of the last time; 0: none */
};

/*
 * There were n so far, which were put on the rejected list of queue.  True if
 * something is to be said, "object: reason"; last: nothing can be said later.
 */
bool dead_letters_news(struct dead_letters *d, uint64_t n, bool last,
    const char *queue, int64_t now_ms, char ret_why[REASON_MAX]);

#endif
