/*
 * The end of old ledger rows (layer 2): at start and then once a day, finds
 * those of our queue that are older than STORE_OLD_DAYS, asks Redis which
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

enum retire_state {
	RETIRE_WAIT,  /* until due_ms */
	RETIRE_FIND,  /* the ledger is looked through */
	RETIRE_ASK,   /* Redis is asked about ids[at] */
	RETIRE_FORGET /* those that are gone are deleted */
};

/* All zero: due at once. */
struct retire {
	enum retire_state state;
	int64_t due_ms;
	struct id ids[STORE_OLD_MAX], gone[STORE_OLD_MAX];
	size_t n, at, n_gone;
};

/* Begins, if it is time. */
void retire_start(struct retire *r, struct ledger *l, int64_t now_ms);
/* LEDGER_FOUND, CLAIMS_ANSWER (in RETIRE_ASK), LEDGER_FORGOTTEN. */
void retire_found(struct retire *r, struct ledger *l, struct claims *c);
void retire_answer(struct retire *r, struct ledger *l, struct claims *c);
void retire_forgotten(struct retire *r, struct ledger *l);

#endif
