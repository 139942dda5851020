/*
 * The Redis side of incr-flush: makes the flush mark that says that this half
 * of a pipe lives, acknowledges what was committed, renews the ownership of
 * the batches that are held once incr-consume has left, asks who is
 * registered.  It prints nothing; the loop is that of queue.h:
 * acknowledger_wait, poll, acknowledger_step.
 *
 * The mark goes first.  Marks, acknowledgements and questions are repeated
 * until Redis has done them.  A renewal is not: the next round comes soon.  A
 * call that Redis refuses holds back none of the others.
 *
 * A batch is Redis's until it is acknowledged here.  What acknowledger_add
 * and acknowledger_add_batch are given must be in Postgres, after its COMMIT.
 */
#ifndef INCR_ACKNOWLEDGER_H
#define INCR_ACKNOWLEDGER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "flush/ack_queue.h"
#include "flush/flush_input.h"
#include "flush/keeping.h"
#include "flush/task_queue.h"
#include "flush/window.h"
#include "queue/batch_history.h"
#include "queue/queue.h"
#include "record/id.h"

enum {
	ACKNOWLEDGER_RENEW_MS = QUEUE_OWNER_MS / 4, /* from round to round */
	/* The same, and the life of a mark, while nothing is in hand. */
	ACKNOWLEDGER_IDLE_MS = 2000,
	ACKNOWLEDGER_IDLE_LIFE_MS = 5000,
	ACKNOWLEDGER_HELD_MAX = 2 * (ACK_QUEUE_MAX + 32),
	/* So long the stream may be of a consumer that Redis does not know:
	 * incr-consume may be about to go on under another name. */
	ACKNOWLEDGER_STRANGER_MS = 5000,
	ACKNOWLEDGER_SUMS_MS = 5000, /* sums_since holds a batch for so long */
	/* Consumers of acknowledger_drop: of adopted ranges, an own window, a
	 * check. */
	ACKNOWLEDGER_DROPS_MAX = 32
};

/* Calls, the most urgent first. */
enum acknowledger_task {
	ACKNOWLEDGER_NO_TASK = TASK_QUEUE_NONE,
	ACKNOWLEDGER_IDENTIFY, /* acknowledger_identify */
	ACKNOWLEDGER_MARK,     /* the flush mark of self */
	/* acknowledger_restore: */
	ACKNOWLEDGER_RESTORE,         /* below a window */
	ACKNOWLEDGER_RESTORE_ADOPTED, /* below adopted batches */
	ACKNOWLEDGER_RESTORE_SEEN,    /* what a check has seen */
	ACKNOWLEDGER_ACKNOWLEDGE,     /* a part of acks */
	ACKNOWLEDGER_RENEW,           /* the next one of held */
	ACKNOWLEDGER_ASK,             /* acknowledger_ask */
	ACKNOWLEDGER_TRIM,            /* kept batches */
	ACKNOWLEDGER_LIST             /* acknowledger_list */
};
enum {
	ACKNOWLEDGER_RESTORES =
	    ACKNOWLEDGER_RESTORE_SEEN - ACKNOWLEDGER_RESTORE + 1
};

enum acknowledger_news {
	ACKNOWLEDGER_NOTHING,
	ACKNOWLEDGER_ANSWER,     /* acknowledger_ask: registered */
	ACKNOWLEDGER_IDENTIFIED, /* acknowledger_identify: noted */
	ACKNOWLEDGER_BACK,       /* Redis knows less than was read from the
				  * stream: it is another one, or went back;
				  * acknowledger_explain */
	ACKNOWLEDGER_LISTED,     /* acknowledger_list: list */
	ACKNOWLEDGER_RESTORED,   /* acknowledger_restore: restored */
	ACKNOWLEDGER_RESTORED_ADOPTED,
	ACKNOWLEDGER_RESTORED_SEEN,
	ACKNOWLEDGER_FAULT /* configuration: acknowledger_explain */
};

struct acknowledger {
	struct queue *q; /* owned; NULL: not open */
	struct task_queue tasks;
	struct ack_queue acks;
	struct ack_queue_part part; /* being acknowledged */
	struct acknowledger_drop {
		struct id consumer;
		uint64_t row;
	} drops[ACKNOWLEDGER_DROPS_MAX]; /* before the next call */
	size_t n_drops;

	const struct window *windows; /* borrowed: they hold batches, too */
	size_t n_windows;
	struct acknowledger_held {
		struct id consumer, self; /* self owns consumer */
	} held[ACKNOWLEDGER_HELD_MAX];    /* to be renewed in this round */
	size_t n_held, next_held;
	int64_t round_ms;   /* clock_ms(): the last round began */
	int64_t mark_ms;    /* clock_ms(): the last mark was due */
	bool mark_idle;     /* it has the life of one with nothing in hand */
	int64_t max_age_ms; /* older windows are left to other flushes */

	/* Set by the caller at any time: */
	bool stalled; /* what is committed takes too long: no renewals, others
		       * may take over */
	int64_t sums_since_ms; /* clock_ms(): since then there are keys whose
				* sums are not written, and what was added
				* since then waits; IO_FOREVER: none */

	const struct flush_input *input; /* borrowed: whose stream it is, and
					  * whether that one has left */
	struct id marked;                /* the last mark was of it */
	int64_t stranger_ms; /* clock_ms(): since then Redis answers that it
			      * does not know it; 0: it does */
	bool known_here;     /* Redis knows it, or swept it within a day */
	struct batch_history_loss back; /* of ACKNOWLEDGER_BACK */
	uint64_t steps_back;            /* how often */
	uint64_t rejected; /* messages that are dead letters by it */
	bool claimed;      /* batches were renewed since that one has left */
	struct id asked;
	bool registered; /* the last answer */

	bool identifies;     /* acknowledger_identify was called: */
	struct id database;  /* with this one */
	uint64_t connection; /* of q: the last one on which it is asked */
	struct queue_ledger ledger; /* of it, not known any more once it may be
				     * noted: it may have more lines then */
	struct queue_identified noted;

	int64_t keep_ms; /* so long are acknowledged batches kept; set once */
	struct keeping keeping; /* and so many */
	struct acknowledger_list {
		struct id after; /* it begins behind this one */
		size_t n;
		struct id consumers[QUEUE_NUMBERS_MAX];
		struct queue_number numbers[QUEUE_NUMBERS_MAX];
		bool more; /* behind the last one */
	} list;
	/* By its task, from ACKNOWLEDGER_RESTORE on. */
	struct queue_restore restore[ACKNOWLEDGER_RESTORES];
	struct queue_restored restored; /* the last answer */
};

/*
 * Takes q.  Windows and input are borrowed until acknowledger_close, which
 * closes q.  The mark of the stream's consumer is made again and again; once
 * that one has left in order, and as long as the windows hold batches, younger
 * than max_age_ms, ownership of these is renewed, too, and of the consumer that
 * owns them: the mark is of no use without it.
 */
void acknowledger_open(struct acknowledger *a, struct queue *q,
    const struct window *windows, size_t n_windows,
    const struct flush_input *input, int64_t max_age_ms);
void acknowledger_close(struct acknowledger *a);

/* What to poll for (fd -1: nothing), and the clock_ms() at which
 * acknowledger_step is due. */
int64_t acknowledger_wait(const struct acknowledger *a, struct pollfd *ret_pfd);
enum acknowledger_news acknowledger_step(struct acknowledger *a, short revents);

/* Says in *ret_why, "object: reason", what ACKNOWLEDGER_BACK or
 * ACKNOWLEDGER_FAULT was about.  Returns the exit status. */
int acknowledger_explain(const struct acknowledger *a,
    enum acknowledger_news news, char ret_why[REASON_MAX]);

/* Like ack_queue_add and ack_queue_add_batch. */
void acknowledger_add(struct acknowledger *a, struct window *w);
int acknowledger_add_batch(struct acknowledger *a, const struct id *consumer,
    const struct id *self, uint64_t seq, const struct batch *b);

/* Notes the database that counts the queue, if none is noted, now and first of
 * all on every new connection. */
void acknowledger_identify(struct acknowledger *a, const struct id *database,
    const struct queue_ledger *ledger);
/* After ACKNOWLEDGER_IDENTIFIED: is it noted now?  If another one is, nothing
 * more is done. */
bool acknowledger_is_right(const struct acknowledger *a);

/* Lists the last acknowledged numbers of consumers behind `after`. */
void acknowledger_list(struct acknowledger *a, const struct id *after);

/* Before its next call: batches of consumer above row, where its ledger row
 * stands now, are no longer to be acknowledged. */
void acknowledger_drop(
    struct acknowledger *a, const struct id *consumer, uint64_t row);

/* Restores, in the database of acknowledger_identify, what is kept above a
 * row, and drops what is above it; of each of the three tasks one at a time. */
void acknowledger_restore(struct acknowledger *a, const struct queue_restore *r,
    enum acknowledger_task task);
/* What task was to restore. */
const struct queue_restore *acknowledger_restores(
    const struct acknowledger *a, enum acknowledger_task task);

/* Asks whether consumer is registered; one question at a time. */
void acknowledger_ask(struct acknowledger *a, const struct id *consumer);

#endif
