/*
 * A terminal that shows one picture after the other, on its alternate screen,
 * and is afterwards as it was before.
 *
 * Written by hand, as a picture a second needs six codes that every terminal
 * of the last decades knows: cursor to a row, erase the row, styles, hide the
 * cursor, the other screen and back.  Writing never blocks: over a slow line
 * pictures are left out.
 */
#ifndef INCR_TERMINAL_H
#define INCR_TERMINAL_H

#include <stdbool.h>

#include "base/buf.h"
#include "top/frame.h"

struct terminal {
	int in; /* for keys, -1: none */
	int out;
	bool moves; /* can put the cursor somewhere; else (TERM=dumb, none)
		     * pictures stand one below the other */
	bool color; /* and NO_COLOR is not set */
	bool utf8;  /* by the locale */
	int rows, cols;
	struct buf shown;   /* the last picture */
	struct buf pending; /* bytes that it has not taken yet */
};

/* Standard input and output.  The caller has checked that the output is a
 * terminal. */
void terminal_open(struct terminal *t);

/* Takes the screen and the keyboard, unless the process is in the background
 * or has them.  To be called again after SIGCONT, and now and then. */
void terminal_enter(struct terminal *t);

/* Gives both back, also before this process is stopped. */
void terminal_leave(struct terminal *t);

/* Is the screen taken? */
bool terminal_is_entered(const struct terminal *t);

/* Measures rows and columns; the next picture is drawn whole. */
void terminal_measure(struct terminal *t);

/* Shows a picture, unless the one before has not been taken yet.  0, or -1
 * with errno. */
int terminal_show(struct terminal *t, const struct frame *f);

/* Writes what is pending, as far as it goes.  0, or -1 with errno. */
int terminal_flush(struct terminal *t);

/* A key that is one byte, or 0. */
char terminal_key(struct terminal *t);

void terminal_close(struct terminal *t);

#endif
