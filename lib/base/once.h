/*
 * What a program once found right at a service, remembered beyond its own life:
 * one that is started again while the service answers wrongly for a moment
 * waits, instead of taking that for a wrong configuration.
 *
 * A mark is a file in the first folder that RUNTIME_DIRECTORY names (systemd
 * makes it, and incr-up; a reboot empties it):
 *
 *	incr-flush.work-DIGEST.once    "incr-flush work postgres host=...\n"
 *
 * Its line says who found what right where; it is a mark for exactly that, and
 * DIGEST is of it.  Neither user nor password is in it: both may be rotated.
 */
#ifndef INCR_ONCE_H
#define INCR_ONCE_H

#include <stdbool.h>

#include "base/buf.h"

enum once_step {
	ONCE_GREETING, /* the service has greeted us as it should */
	ONCE_WORK,     /* and done what we are there for */
	ONCE_STEPS
};

/* All zero: nothing was right yet. */
struct once {
	struct buf place; /* a text: which service, and what of it */
	bool was[ONCE_STEPS];
};

/* program (borrowed for ever) is remembered from now on; without this, without
 * the variable or the folder, nothing is. */
void once_open(const char *program);

/* Reads the marks of the place, which was added before. */
void once_look(struct once *o);

/* It was right.  A mark that can't be written is none. */
void once_note(struct once *o, enum once_step step);

#endif
