/*
 * The Redis side of incr-flush (layer 2): acknowledges what was committed,
 * keeps the ownership of what is held, asks who is registered.  It prints
 * nothing; the loop is that of queue.h: claims_wait, poll, claims_step.
 *
 * Everything is repeated until Redis has done it, acknowledgements first.
 */
#ifndef INCR_ACKNOWLEDGER_H
#define INCR_ACKNOWLEDGER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "flush/ack_queue.h"
#include "flush/window.h"
#include "queue/queue.h"
#include "record/id.h"

enum {
	CLAIMS_RENEW_MS = QUEUE_OWNER_MS / 4,
	CLAIMS_HELD_MAX = RECEIPTS_MAX + 2
};

enum claims_task { /* the call under way */
	CLAIMS_NO_TASK,
	CLAIMS_ACKNOWLEDGE,
	CLAIMS_RENEW,
	CLAIMS_ASK
};

enum claims_news {
	CLAIMS_NOTHING,
	CLAIMS_ANSWER, /* registered is what was asked */
	CLAIMS_FAULT   /* configuration: 100, queue_why */
};

struct claims {
	struct queue *q; /* owned */
	struct receipts receipts;
	enum claims_task task;
	struct receipts_part part; /* being acknowledged */

	const struct window *windows[2]; /* borrowed: what else is held */
	struct claims_held {
		struct id consumer, self; /* self owns consumer */
	} held[CLAIMS_HELD_MAX];          /* to be renewed in this round */
	size_t n_held, renewing;
	int64_t round_ms;   /* when the next round may begin */
	int64_t max_age_ms; /* older windows are left to others */

	bool asking;
	struct id asked;
	bool registered;

	struct backoff backoff;
	int64_t pause_ms; /* tick_ms(): Redis refused, not before */
	int64_t down_ms;  /* tick_ms() since when nothing was answered, 0 */
	bool failed;      /* and there is a reason: queue_why */
};

/* Takes q; two windows are looked at whenever ownership is renewed. */
void claims_open(struct claims *c, struct queue *q,
    const struct window windows[2], int64_t max_age_ms);
void claims_close(struct claims *c);

int64_t claims_wait(const struct claims *c, struct pollfd *ret_pfd);
enum claims_news claims_step(struct claims *c, short revents);

/* Asks whether consumer is registered; one at a time. */
void claims_ask(struct claims *c, const struct id *consumer);

#endif
