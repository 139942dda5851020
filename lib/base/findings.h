/*
 * What --check finds: one line per finding,
 *
 *	level: object: finding
 *
 * with the levels ok, warning and error; bytes outside printable ASCII are
 * shown as \xHH.  Of all findings together comes an exit status.
 */
#ifndef INCR_FINDINGS_H
#define INCR_FINDINGS_H

#include <stdbool.h>

#include "base/buf.h"

enum finding {
	FINDING_OK,      /* looked at, and as it should be */
	FINDING_WARNING, /* the programs work, at a cost or not for ever */
	FINDING_ERROR,   /* configuration: EXIT_CONFIG */
	FINDING_DOWN,    /* no answer, which may pass: EXIT_TEMPFAIL */
	FINDING_LEVELS
};

/* All zero: none.  findings_end frees. */
struct findings {
	struct buf lines;
	unsigned n[FINDING_LEVELS];
	bool no_memory; /* lines are missing */
};

/* Adds a line; fmt is "object: finding", in which nothing is secret. */
void findings_add(struct findings *f, enum finding level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* How many errors there are, of either kind. */
unsigned findings_errors(const struct findings *f);

/* EXIT_CONFIG if there is a FINDING_ERROR, else EXIT_TEMPFAIL if there is a
 * FINDING_DOWN or lines are missing, else EXIT_REJECTED if there is a warning,
 * else EXIT_DELIVERED. */
int findings_status(const struct findings *f);

/* Writes the lines to standard output.  The status with which the program ends;
 * it ends here if they can't be written. */
int findings_end(struct findings *f);

#endif
