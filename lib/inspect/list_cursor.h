/*
 * A walk through a list of the queue, from the oldest payload on (layer 2),
 * while others push to it.  That nobody takes from it in the meantime is
 * looked at again and again: the list gets no shorter, and what was seen
 * last is still there.
 *
 * Memory: what one queue_peek returns, and a payload.
 */
#ifndef INCR_LIST_CURSOR_H
#define INCR_LIST_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/queue.h"

struct list_cursor {
	struct queue *q; /* borrowed, as for all calls */
	int64_t wait_ms; /* for Redis, each time */
	struct queue_list list;
	size_t max; /* payloads in hand; the caller may change it */

	uint64_t end;      /* where the walk ends */
	uint64_t at;       /* payloads behind us that are in the list */
	struct buf anchor; /* the newest of them, if there is one */
	size_t n;          /* payloads in hand */
};

enum list_cursor_state {
	LIST_CURSOR_HAND,    /* n payloads in hand: pass them */
	LIST_CURSOR_END,     /* that was all */
	LIST_CURSOR_SHIFTED, /* others have taken from the list: start again */
	LIST_CURSOR_FAILED   /* state is what Redis has come to; memory:
				QUEUE_IDLE */
};

/* Begins a walk through the `end` oldest payloads, or those that are there
 * at the first step, if they are fewer.  May be called again. */
void list_cursor_start(struct list_cursor *w, uint64_t end);

enum list_cursor_state list_cursor_step(
    struct list_cursor *w, enum queue_state *ret_state);

/* Payload i in hand, oldest first, borrowed until the next call of q, and
 * its number for queue_picks; list_cursor_older is the rest of such a call. */
const char *list_cursor_payload(
    const struct list_cursor *w, size_t i, size_t *ret_len);
size_t list_cursor_index(const struct list_cursor *w, size_t i);
uint64_t list_cursor_older(const struct list_cursor *w);

/* Goes on behind those in hand: `kept` of them stay in the list, and
 * payload `newest` is the newest that does.  0, or -1 if memory is gone. */
int list_cursor_pass(struct list_cursor *w, size_t kept, size_t newest);

void list_cursor_free(struct list_cursor *w);

#endif
