/*
 * The Redis side of incr-flush (layer 2): acknowledges what was committed,
 * keeps the ownership of what is held, asks who is registered.  It prints
 * nothing; the loop is that of queue.h: acknowledger_wait, poll,
 * acknowledger_step.
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
	ACKNOWLEDGER_RENEW_MS = QUEUE_OWNER_MS / 4,
	ACKNOWLEDGER_HELD_MAX = ACK_QUEUE_MAX + 2
};

enum acknowledger_task { /* the call under way */
	ACKNOWLEDGER_NO_TASK,
	ACKNOWLEDGER_ACKNOWLEDGE,
	ACKNOWLEDGER_RENEW,
	ACKNOWLEDGER_ASK
};

enum acknowledger_news {
	ACKNOWLEDGER_NOTHING,
	ACKNOWLEDGER_ANSWER, /* registered is what was asked */
	ACKNOWLEDGER_FAULT   /* configuration: 100, queue_status */
};

struct acknowledger {
	struct queue *q; /* owned */
	struct ack_queue acks;
	enum acknowledger_task task;
	struct ack_queue_part part; /* being acknowledged */

	const struct window *windows[2]; /* borrowed: what else is held */
	struct acknowledger_held {
		struct id consumer, self; /* self owns consumer */
	} held[ACKNOWLEDGER_HELD_MAX];    /* to be renewed in this round */
	size_t n_held, renewing;
	int64_t round_ms;   /* when the next round may begin */
	int64_t max_age_ms; /* older windows are left to others */

	bool asking;
	struct id asked;
	bool registered;

	struct backoff backoff;
	int64_t pause_ms; /* clock_ms(): Redis refused, not before */
	int64_t down_ms;  /* clock_ms() since when nothing was answered, 0 */
	bool failed;      /* and there is a reason: queue_status */
};

/* Takes q; two windows are looked at whenever ownership is renewed. */
void acknowledger_open(struct acknowledger *c, struct queue *q,
    const struct window windows[2], int64_t max_age_ms);
void acknowledger_close(struct acknowledger *c);

int64_t acknowledger_wait(const struct acknowledger *c, struct pollfd *ret_pfd);
enum acknowledger_news acknowledger_step(struct acknowledger *c, short revents);

/* Asks whether consumer is registered; one at a time. */
void acknowledger_ask(struct acknowledger *c, const struct id *consumer);

#endif
