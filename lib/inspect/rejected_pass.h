/*
 * Goes through the rejected lists of a queue, and of its shards: shows,
 * republishes or drops the dead letters that are chosen.
 *
 * In: the lists as they are at the start, the oldest letters first; what is
 * rejected meanwhile is left out.  Out: the letters chosen, and how many were
 * moved.
 *
 * Redis owns every payload.  It goes from the rejected list to the ready
 * list, or away, inside one script; only if it is still where it was seen.
 * Killed at any line: each payload is in one of the two lists, and those
 * that stay are in their order.  A call whose reply was lost is repeated
 * under its number, which Redis does once.
 *
 * Between shards there is no such step: first the queue notes how many it has,
 * then all that belong to another one are labelled (label.h), then each is
 * published there with the tag of its label (forwarder.h), and only then
 * dropped.  Killed in between it may be in both, and who goes on finds the
 * label, and Redis the tag.
 */
#ifndef INCR_REJECTED_PASS_H
#define INCR_REJECTED_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/reason.h"
#include "inspect/forwarder.h"
#include "inspect/label.h"
#include "inspect/list_cursor.h"
#include "inspect/selection.h"
#include "inspect/shard_queues.h"
#include "queue/queue.h"
#include "record/fault.h"
#include "record/id.h"

enum rejected_action { REJECTED_LOOK, REJECTED_REPUBLISH, REJECTED_DROP };

enum rejected_result {
	REJECTED_DONE,
	REJECTED_FAILED,  /* status and why tell */
	REJECTED_TAKEN,   /* others took messages meanwhile: run it again */
	REJECTED_UNKNOWN, /* what has become of the last call */
	REJECTED_MEMORY,  /* ENOMEM */
	REJECTED_OUTPUT   /* show failed with errno */
};

/* A letter that was chosen, borrowed for the call. */
struct rejected_letter {
	const char *queue; /* that has it; NULL: there is one queue only */
	const char *payload;
	size_t len;
	enum fault fault; /* deadletter_judge, or FAULT_WRONG_SHARD */
	int64_t ms;       /* of its arrival, list_cursor_ms; 0: unknown */
};

/* The first five are the owner's, all other zero before rejected_pass_open. */
struct rejected_pass {
	struct selection selection; /* ids and code; not valid_only */
	/* Shows the letters that were chosen of a page, n of them (1 at least),
	 * the oldest first.  REJECTED_DONE, or REJECTED_MEMORY or
	 * REJECTED_OUTPUT, with which the run ends.  NULL: none is shown. */
	enum rejected_result (*show)(
	    void *ctx, const struct rejected_letter *letters, size_t n);
	void *ctx;
	bool timed;      /* show needs ms */
	int64_t wait_ms; /* for Redis, with each call */

	/* What became of a run. */
	uint64_t moved;       /* letters withdrawn */
	uint64_t doubtful;    /* not republished: they may have been */
	int status;           /* REJECTED_FAILED: an exit status, */
	char why[REASON_MAX]; /* "object: reason" */

	/* The inside. */
	enum rejected_action action;
	bool labelling; /* republish: the letters for other shards */
	struct shard_queues queues;
	uint64_t *ends; /* of each: so many of the oldest are looked at */
	size_t at;      /* the queue of the cursor */
	struct list_cursor cursor;
	struct id self;      /* the withdrawer of queue_withdraw */
	uint64_t seq;        /* its last call */
	uint64_t unlabelled; /* not republished: new to the selection */
	struct {
		struct selection selection;
		uint64_t moved, doubtful, unlabelled;
	} before;     /* the queue */
	int restarts; /* since others took from the list */
	struct label_series labels;
	struct forwarder forwarder;
	struct buf scratch; /* of deadletter_judge */
	struct {
		const char *to[QUEUE_PEEK_MAX]; /* NULL: it stays */
		size_t index[QUEUE_PEEK_MAX];   /* of those that do not */
		char labels[QUEUE_PEEK_MAX][LABEL_TEXT];
		struct rejected_letter shown[QUEUE_PEEK_MAX];
		size_t n_shown;
	} page;
};

/* Opens the queues of `queue`, as shard_queues_open does with `told`; url and
 * queue are borrowed until rejected_pass_close.  0, or an exit status with
 * ret_why, "object: reason" or LOG_NO_MEMORY: then nothing is open. */
int rejected_pass_open(struct rejected_pass *p, const char *url,
    const char *queue, uint64_t told, char ret_why[REASON_MAX]);

/* To be called before each run.  Nothing is chosen yet, no id is used, and at
 * most `left` letters may be chosen. */
void rejected_pass_restart(struct rejected_pass *p, uint64_t left);

/*
 * Goes through all lists.  A second run looks at what the first one looked at,
 * and at nothing newer; none may follow one that moved letters or failed.
 * Letters that were moved before a failure stay moved.
 *
 * If others take from a list, it is begun again.  Since that can't be done
 * once letters were shown, or ids used, it is REJECTED_TAKEN then, or if they
 * do it again and again.
 */
enum rejected_result rejected_pass_run(
    struct rejected_pass *p, enum rejected_action action);

/* Frees the selection, too. */
void rejected_pass_close(struct rejected_pass *p);

#endif
