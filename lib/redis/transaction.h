/*
 * A transaction is MULTI, commands, EXEC; this judges its replies.
 *
 * MULTI goes alone, and the rest only once it was answered: if it was refused,
 * the rest would be done, command by command.  A command that Redis does not
 * take up makes EXEC do nothing.  One that fails in EXEC does not keep those
 * behind it from being done; so the first one decides, and they must be such
 * that they do nothing if it has failed.  Pure.
 */
#ifndef INCR_TRANSACTION_H
#define INCR_TRANSACTION_H

#include <stddef.h>

#include "base/reason.h"
#include "redis/redis.h"

enum transaction_state {
	TRANSACTION_OPEN,    /* MULTI was answered: send the rest */
	TRANSACTION_GOES_ON, /* there is another reply to come */
	TRANSACTION_DONE,    /* the reply is EXEC's: a list of n */
	TRANSACTION_REFUSED, /* why proves that nothing was done */
	TRANSACTION_BROKEN   /* why says no such thing */
};

/* All zero: none. */
struct transaction {
	size_t n;        /* commands between MULTI and EXEC; 0: none */
	size_t answered; /* replies that have come */
	enum transaction_state state; /* by the last of them */
	char why[REASON_MAX]; /* the first error to one of the n; or empty */
};

/* From its beginning, of n commands. */
void transaction_start(struct transaction *t, size_t n);

/* Takes the next reply, and sets state and why. */
void transaction_take(struct transaction *t, const struct redis_reply *reply);

#endif
