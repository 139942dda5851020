/*
 * The consumers that this process has adopted, and which of their batches are
 * still to be read.  Memory only.
 */
#ifndef INCR_ADOPTED_H
#define INCR_ADOPTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/id.h"

/* Further ones are adopted later, or by others. */
enum { ADOPTED_MAX = 64 };

struct adopted_consumer {
	struct id consumer;
	uint64_t *seqs;  /* of the batches to be read, oldest first */
	size_t n, next;  /* next: the one to be read next */
	int64_t sent_ms; /* clock_ms(): the last call that is known to have
			  * made this process its owner */
};

/* All zero: none.  In the order of their adoption. */
struct adopted {
	struct adopted_consumer list[ADOPTED_MAX];
	size_t n;
};

/*
 * Adds a consumer, or replaces what is known of it.  Returns where the
 * caller writes its n (at least one) sequence numbers, oldest first; NULL,
 * and nothing was changed, if memory is gone or there are ADOPTED_MAX.  The
 * adoption was sent at clock_ms() sent_ms.
 */
uint64_t *adopted_add(
    struct adopted *o, const struct id *consumer, size_t n, int64_t sent_ms);

/*
 * A renewal that was sent at clock_ms() sent_ms and answered at now_ms found
 * this process to be the owner of consumer.  False if that may not have been
 * so all the time since the call before: another may have taken batches, died,
 * and been adopted here by a call that came late, so that nobody would ever
 * read them.
 */
bool adopted_renew(struct adopted *o, const struct id *consumer,
    int64_t sent_ms, int64_t now_ms);

/* Finds the batch to be read next; false if there is none.  *ret_consumer is
 * borrowed until the next change. */
bool adopted_next(
    const struct adopted *o, const struct id **ret_consumer, uint64_t *ret_seq);

/* Is there one? */
bool adopted_unread(const struct adopted *o);

/* Marks the batch of adopted_next as read. */
void adopted_advance(struct adopted *o);

/* Removes consumer, if it is there. */
void adopted_forget(struct adopted *o, const struct id *consumer);

/* How many of the consumers that a look showed, this one and `candidates`, are
 * for one of `live` to adopt: rounded up. */
size_t adopted_share(size_t candidates, size_t live);

void adopted_clear(struct adopted *o);

#endif
