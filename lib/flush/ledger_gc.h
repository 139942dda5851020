/*
 * The end of old ledger rows (layer 2): at start and then once a day, finds
 * those of our queue that are older than STATEMENTS_OLD_DAYS, asks Redis which
 * of their consumers are still registered, and deletes the others.  Nothing
 * else ever deletes a ledger row.
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
	LEDGER_GC_FIND,  /* the ledger is looked through */
	LEDGER_GC_ASK,   /* Redis is asked about ids[at] */
	LEDGER_GC_FORGET /* those that are gone are deleted */
};

/* All zero: due at once. */
struct ledger_gc {
	enum ledger_gc_state state;
	int64_t due_ms;
	struct id ids[STATEMENTS_OLD_MAX], gone[STATEMENTS_OLD_MAX];
	size_t n, at, n_gone;
};

/* Begins, if it is time. */
void ledger_gc_start(struct ledger_gc *r, struct committer *l, int64_t now_ms);
/* COMMITTER_FOUND, ACKNOWLEDGER_ANSWER (in LEDGER_GC_ASK), COMMITTER_FORGOTTEN.
 */
void ledger_gc_found(
    struct ledger_gc *r, struct committer *l, struct acknowledger *c);
void ledger_gc_answer(
    struct ledger_gc *r, struct committer *l, struct acknowledger *c);
void ledger_gc_forgotten(struct ledger_gc *r, struct committer *l);

#endif
