/*
 * Where a complete batch goes.  Pure.
 *
 *	own batch       into the window that fills if it is the next one there
 *	                and fits, else into a new window
 *	adopted batch   to the adopter, beside these windows, once no batch of
 *	                its consumer is in them (a name that was lost)
 *
 * If the consumer last asked about is not registered in Redis, the batch's
 * own consumer must be, or its ledger row must have the batch: else its
 * batches are in another Redis, and counting them would never end.
 */
#ifndef INCR_PLACEMENT_H
#define INCR_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "flush/window.h"
#include "record/control.h"
#include "record/id.h"

enum placement {
	PLACEMENT_ADD,         /* to the window that fills, or opens it */
	PLACEMENT_CLOSE,       /* decide again after that window is frozen */
	PLACEMENT_ADOPT,       /* to the adopter */
	PLACEMENT_ACKNOWLEDGE, /* it is in the table: acknowledge it alone */
	PLACEMENT_ASK,         /* is its consumer registered in Redis? */
	PLACEMENT_LOOK,        /* read its consumer's ledger row */
	PLACEMENT_WAIT,        /* decide again at the next event */
	PLACEMENT_FOREIGN      /* its consumer is not of this Redis */
};

/* The ledger row of one consumer. */
struct placement_row {
	bool known; /* else all below is empty */
	struct id consumer;
	uint64_t row; /* batches to row are in the table */
};

/* What the decision depends on; all borrowed. */
struct placement_facts {
	const struct control_checkpoint *batch;
	const struct window *filling;
	const struct window *committing; /* NULL: none */
	const struct placement_row *row;
	bool registered;        /* so is asked, says Redis */
	const struct id *asked; /* the consumer last asked about */
	bool may_ask;           /* no other question is under way */
	bool fits;              /* the window that fills has room for it */
	bool adopter_takes;     /* the batch */
};

/* Writes what PLACEMENT_FOREIGN means, "object: reason". */
void placement_explain(
    const struct control_checkpoint *batch, char ret_why[REASON_MAX]);

enum placement placement_of(const struct placement_facts *f);

#endif
