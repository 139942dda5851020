/*
 * Whether this Redis shows the flush mark of a consumer, and when to look for
 * another one.  An incr-flush that is connected to another Redis, such as the
 * new primary beside an old one that lives on, makes its mark there: nothing
 * would ever be taken here, and nothing fails.  Memory only.
 */
#ifndef INCR_MARK_WATCH_H
#define INCR_MARK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* So long no look may have shown a mark before the first try; it doubles from
 * one to the next, to a minute. */
enum { MARK_WATCH_MS = 5000, MARK_WATCH_MAX_MS = 60000 };

/* All zero: no look yet. */
struct mark_watch {
	uint64_t connection; /* of the looks */
	int64_t again_ms;    /* clock_ms(): connect anew, unless a look before
			      * shows the mark; 0: none has missed it yet */
	int64_t tried_ms;    /* so long was waited for the last try */
};

/* A look at clock_ms() now_ms, over connection number n, has shown the mark or
 * not.  True: connect anew now. */
bool mark_watch_look(
    struct mark_watch *w, bool marked, uint64_t n, int64_t now_ms);

#endif
