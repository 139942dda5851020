/*
 * Counts the batches of adopted consumers, on a connection of its own, beside
 * the windows of the stream's own consumer, and several consumers in one
 * statement.  It prints nothing; the loop is that of postgres.h: adopter_wait,
 * poll, adopter_step.
 *
 * The ledger row of a range is read by a write, once and again whenever it did
 * not move; batches that it has are not counted.  A row that another session
 * has locked is passed over and looked at again after ADOPTER_AGAIN_MS, so a
 * session that holds on to one row delays no other.  A row that was read is
 * forgotten with the connection.
 *
 * All batches are Redis's until they are acknowledged, after ADOPTED_DONE.
 */
#ifndef INCR_ADOPTER_H
#define INCR_ADOPTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "flush/acknowledger.h"
#include "flush/adopted_ranges.h"
#include "flush/committer.h"
#include "flush/flush_tally.h"
#include "flush/sums.h"
#include "flush/task_queue.h"
#include "flush/window.h"
#include "postgres/postgres.h"
#include "record/control.h"
#include "record/id.h"

enum { ADOPTER_AGAIN_MS = 250 };

/* Statements, the most urgent first. */
enum adopter_task {
	ADOPTER_NO_TASK = TASK_QUEUE_NONE,
	ADOPTER_READ, /* the rows of ranges */
	ADOPTER_APPLY /* what ranges hold */
};

struct adopter {
	struct postgres *pg; /* owned */
	const char *queue;   /* borrowed */
	struct task_queue tasks;
	const struct committer *own; /* borrowed: bound to which database, and
				      * what a statement costs */
	struct adopted_ranges ranges;
	int64_t waiting_ms;  /* clock_ms() of a call under way, or since when
			      * none could begin; 0: nothing is due */
	int64_t started_us;  /* clock_us() of the last statement */
	int64_t took_us;     /* the last one that was answered */
	size_t keys;         /* in it */
	uint64_t trimmed;    /* batches that ranges had and the table, too */
	uint64_t connection; /* the last one on which rows were read */
	struct adopted_range *lost;  /* of adopter_lost; NULL: none */
	const struct window *failed; /* what could not be counted, */
	uint64_t row;                /* and where its row stands */
};

/* Takes pg; windows are ADOPTED_RANGES_MAX, borrowed and empty; queue and own
 * are borrowed; all until adopter_close, which closes pg. */
void adopter_open(struct adopter *a, struct postgres *pg, const char *queue,
    const struct committer *own, struct window *windows);
void adopter_close(struct adopter *a);

/* adopted_ranges_add, now. */
int adopter_add(struct adopter *a, const struct control_checkpoint *point,
    const struct id *self, const struct batch *b, int64_t age_ms);

/* What to poll for (fd -1: nothing), and the clock_ms() at which adopter_step
 * is due. */
int64_t adopter_wait(const struct adopter *a, struct pollfd *ret_pfd);
/* COMMITTER_COMMITTED: adopter_settle.  Other news: as of a committer. */
enum committer_news adopter_step(struct adopter *a, short revents);

/* Hands what is in the table to the acknowledger, which has room, and before
 * that its keys to sums. */
void adopter_settle(struct adopter *a, struct acknowledger *to,
    struct sums *sums, struct flush_tally *tally);

/* The next range whose row went back, to restore what is below it (then there
 * is adopter_restored); NULL: none, or the last one waits. */
const struct adopted_range *adopter_lost(struct adopter *a);
/* Older batches are left: the range is dropped.  Else it is counted. */
void adopter_restored(struct adopter *a, bool left);

/* committer_explain. */
void adopter_explain(const struct adopter *a, enum committer_news news,
    char ret_why[REASON_MAX]);

/* committer_stalled. */
bool adopter_stalled(const struct adopter *a, int64_t now_ms);

#endif
