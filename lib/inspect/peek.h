/*
 * What waits in the ready list, the oldest first, without taking it.  Nothing
 * is written to Redis, and nobody is kept from taking; so what is shown may be
 * gone a moment later.
 */
#ifndef INCR_PEEK_H
#define INCR_PEEK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "inspect/list_cursor.h"
#include "queue/queue.h"

enum {
	PEEK_MAX = QUEUE_PEEK_MAX, /* messages: one page, but for large ones */
	PEEK_ROUNDS = 50,
	PEEK_SHOWN_MAX = 1000 /* bytes of a message on a terminal */
};

/* The first four are the owner's, all other zero. */
struct peek {
	struct queue *q; /* borrowed */
	int64_t wait_ms; /* for Redis, with each page */
	uint64_t n;      /* messages, to PEEK_MAX */
	bool terminal;   /* no byte that a terminal would obey */

	struct buf out; /* the lines; peek_free frees */
	struct buf scratch;
};

/*
 * Fills out with a line for each message, all of one moment: an increment in
 * canonical form, anything else as incr-consume would write it.  Returns
 * LIST_CURSOR_END if all is there, LIST_CURSOR_SHIFTED if others took from the
 * list in each of PEEK_ROUNDS rounds, LIST_CURSOR_FAILED with *ret_state as
 * list_cursor_step has it, or LIST_CURSOR_MEMORY.
 */
enum list_cursor_state peek_run(struct peek *p, enum queue_state *ret_state);

void peek_free(struct peek *p);

#endif
