/*
 * A Postgres that went back in time, by a failover to an asynchronous standby
 * or a restore: ledger rows are lower than Redis knows.
 *
 * On every connection, and from time to time, the last acknowledged numbers of
 * all consumers are read from Redis, only then their rows: as a batch is
 * acknowledged after its COMMIT, no row is lower, unless it went back.  Of a
 * consumer whose row is lower, the kept batches above it are restored, to be
 * adopted and counted like those of any orphan; what is not kept is lost, and
 * said.
 *
 * Whoever finds such a row before, with a window in hand, restores first:
 *
 *	own window        the program leaves; its batches are adopted
 *	adopted range     is counted from that row if no batch between is left,
 *	                  else dropped, and its consumer let go
 *
 * A batch that is dropped is Redis's, unacknowledged.
 */
#ifndef INCR_GOING_BACK_H
#define INCR_GOING_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "flush/acknowledger.h"
#include "flush/adopter.h"
#include "flush/committer.h"
#include "flush/window.h"
#include "record/control.h"
#include "record/id.h"

enum { GOING_BACK_MINUTE_MS = 60000, GOING_BACK_LEAST_MS = 1000 };

/* Where a check stands. */
enum going_back_state {
	GOING_BACK_WAIT,   /* for due_ms, or a new connection */
	GOING_BACK_LIST,   /* Redis lists acknowledged numbers */
	GOING_BACK_ROWS,   /* Postgres reads the rows */
	GOING_BACK_RESTORE /* Redis restores what is kept above a row */
};

struct going_back {
	enum going_back_state state;
	int64_t due_ms;
	uint64_t
	    connection; /* of Postgres: the last one on which was checked */
	struct acknowledger_list list; /* a copy, since the next may be asked */
	uint64_t rows[QUEUE_NUMBERS_MAX];
	size_t at;
	bool again;  /* what was seen had changed: soon */
	bool looked; /* a check was done, and nothing had changed */

	/* The last step back that was found, until going_back_news. */
	bool found;
	struct id consumer;
	uint64_t row;
	struct queue_restored how;
	uint64_t steps;      /* found so far */
	uint64_t plain_lost; /* of committer.lost, that were said */
};

/* Writes what was found and not written yet, "object: reason"; false: nothing
 * (more).  To be called after each flusher_step, until it is false. */
bool going_back_news(
    struct going_back *g, const struct committer *c, char ret_why[REASON_MAX]);

/* The clock_ms() at which going_back_start is due. */
int64_t going_back_due(const struct going_back *g, const struct committer *c);

/* Begins a check that is due. */
void going_back_start(struct going_back *g, struct committer *c,
    struct acknowledger *a, int64_t now_ms);
/* After ACKNOWLEDGER_LISTED, COMMITTER_ROWS_READ, ACKNOWLEDGER_RESTORED_SEEN.
 */
void going_back_listed(
    struct going_back *g, struct committer *c, struct acknowledger *a);
void going_back_rows(
    struct going_back *g, const struct committer *c, struct acknowledger *a);
void going_back_seen(struct going_back *g, struct acknowledger *a);

/* Restores what is below a window that is not committed, since its row stands
 * there; what was committed above it is not acknowledged.  Then there is
 * ACKNOWLEDGER_RESTORED, of an adopted one ACKNOWLEDGER_RESTORED_ADOPTED; one
 * of each at a time. */
void going_back_window(
    struct acknowledger *a, const struct window *w, uint64_t row);

/* After that: are there older batches than those of w, which go first? */
bool going_back_restored(
    struct going_back *g, const struct acknowledger *a, const struct window *w);

/* A batch was read whose consumer was swept from this Redis, so each of its
 * batches was counted, and its row stands below: what is above is lost.
 * Returns a reason to leave. */
const char *going_back_swept(
    struct going_back *g, const struct control_checkpoint *batch, uint64_t row);

/* The same for the ranges of an adopter, as they need it, and after
 * ACKNOWLEDGER_RESTORED_ADOPTED. */
void going_back_adopt(struct adopter *from, struct acknowledger *a);
void going_back_adopted(
    struct going_back *g, struct adopter *from, const struct acknowledger *a);

#endif
