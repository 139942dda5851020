/*
 * Reads a list of the queue page by page, from the oldest payload on, while
 * others push to it.
 *
 * That nobody takes from the list in the meantime is checked with each page:
 * the list got no shorter, and the newest payload that was read before is
 * still in its place (it is read once more as the first of the page).
 *
 *	oldest                                        newest
 *	  |  `at` payloads stay | n of the page |  ...  | `end`
 *	                 anchor ^
 *
 * Memory: one page, and a payload.
 */
#ifndef INCR_LIST_CURSOR_H
#define INCR_LIST_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/queue.h"

/* The first four are the owner's, all other zero. */
struct list_cursor {
	struct queue *q; /* borrowed */
	int64_t wait_ms; /* for Redis, with each page */
	struct queue_list list;
	size_t max; /* payloads of a page, less than QUEUE_PEEK_MAX */

	uint64_t end;      /* payloads of the list that are to be read */
	uint64_t at;       /* payloads before the page that are in the list */
	uint64_t length;   /* of the list, at the last step that read a page */
	struct buf anchor; /* the newest of them, if there is one */
	size_t n;          /* payloads of the page */
};

enum list_cursor_state {
	LIST_CURSOR_PAGE,    /* n payloads: look at them, then advance */
	LIST_CURSOR_END,     /* all were read */
	LIST_CURSOR_SHIFTED, /* others have taken from the list: start again */
	LIST_CURSOR_FAILED,  /* *ret_state is what has become of the call */
	LIST_CURSOR_MEMORY   /* ENOMEM */
};

/* Begins with the `end` oldest payloads, or those that are there at the first
 * step, if they are fewer.  May be called again. */
void list_cursor_start(struct list_cursor *c, uint64_t end);

/* Reads the next page.  *ret_state is set for LIST_CURSOR_FAILED only: what
 * queue_sync_idle or queue_sync_done returned; queue_status says why. */
enum list_cursor_state list_cursor_step(
    struct list_cursor *c, enum queue_state *ret_state);

/* Payload i of the page (from 0, oldest first), borrowed until the next call
 * of q. */
const char *list_cursor_payload(
    const struct list_cursor *c, size_t i, size_t *ret_len);

/* Its time of arrival, if the list is timed: queue_peeked_ms. */
int64_t list_cursor_ms(const struct list_cursor *c, size_t i);

/* For queue_withdraw: its `older`, and the index of payload i of the page. */
uint64_t list_cursor_older(const struct list_cursor *c);
size_t list_cursor_index(const struct list_cursor *c, size_t i);

/* Goes on behind the page.  `kept` of its payloads stay in the list, payload
 * `newest` is the newest of these.  0, or -1 with errno ENOMEM. */
int list_cursor_advance(struct list_cursor *c, size_t kept, size_t newest);

/* Between pages: the newest payload that was read may be another one by now,
 * and is read again.  LIST_CURSOR_PAGE, or as list_cursor_step. */
enum list_cursor_state list_cursor_look_again(
    struct list_cursor *c, enum queue_state *ret_state);

void list_cursor_free(struct list_cursor *c);

#endif
