/*
 * Deletes old ledger rows: at start and then once a day it finds rows of our
 * queue that have not moved for STATEMENTS_OLD_DAYS, asks Redis which of
 * their consumers are still registered, and deletes the rows of the others.
 * Nothing else ever deletes a ledger row.
 *
 * A row must outlive every copy of its consumer's batches: it does, because
 * a consumer is registered as long as it has any.
 */
#ifndef INCR_LEDGER_GC_H
#define INCR_LEDGER_GC_H

#include <stdint.h>

#include "flush/acknowledger.h"
#include "flush/committer.h"
#include "postgres/statements.h"

enum ledger_gc_state {
	LEDGER_GC_WAIT,  /* until due_ms */
	LEDGER_GC_FIND,  /* Postgres is asked for old rows */
	LEDGER_GC_ASK,   /* Redis is asked about old.consumers[at] */
	LEDGER_GC_FORGET /* the rows of gone are deleted */
};

/* All zero: due at once. */
struct ledger_gc {
	enum ledger_gc_state state;
	int64_t due_ms;            /* clock_ms() */
	struct statements_old old; /* of one statement */
	size_t at;                 /* the next of them to ask about */
	struct statements_old gone;
};

/* Begins, if it is due. */
void ledger_gc_start(struct ledger_gc *gc, struct committer *c, int64_t now_ms);

/* What to call after COMMITTER_FOUND, after ACKNOWLEDGER_ANSWER (in
 * LEDGER_GC_ASK), and after COMMITTER_FORGOTTEN. */
void ledger_gc_found(
    struct ledger_gc *gc, struct committer *c, struct acknowledger *a);
void ledger_gc_answer(
    struct ledger_gc *gc, struct committer *c, struct acknowledger *a);
void ledger_gc_forgotten(struct ledger_gc *gc, struct committer *c);

#endif
