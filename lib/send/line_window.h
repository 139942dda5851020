/*
 * The lines between input and verdict, in the order of the input.  Pure but
 * for memory.
 *
 *	first             next              end
 *	  | in requests,    | waiting,        |
 *	  | or answered     | or answered     |
 *
 * The three count lines from the beginning of the input; line i has the
 * place i modulo the size.
 */
#ifndef INCR_LINE_WINDOW_H
#define INCR_LINE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/fault.h"
#include "record/increment.h"

enum line_window_state {
	LINE_WINDOW_WAITING,  /* in no request yet */
	LINE_WINDOW_ASKED,    /* in a request; certainly not counted so far */
	LINE_WINDOW_DOUBTFUL, /* in a request; may have been counted */
	LINE_WINDOW_ANSWERED  /* its verdict is known */
};

struct line_window_line {
	enum line_window_state state;
	enum fault fault; /* of a line answered; FAULT_NONE: the text itself */
	const char *detail; /* of http_verdict.h, if the fault is unavailable;
			     * NULL: that of the fault */
	uint64_t number;    /* of the input line, from 1 */
	size_t place;       /* in the body of its request, from 1 */
	struct buf text;    /* as it came, without newline */
	size_t body_len;    /* bytes; 0: it is not sent */
	char body[INCREMENT_TEXT];
};

struct line_window {
	struct line_window_line *lines;
	size_t size;
	uint64_t first, next, end;
	uint64_t waiting; /* lines from next on that are in no request */
	/* Lines by their verdict, and the first one that was rejected. */
	uint64_t delivered, rejected, unavailable, unknown;
	uint64_t first_rejected;
	enum fault first_fault;
};

/* An empty window for `size` lines.  0, or -1 with errno ENOMEM. */
int line_window_open(struct line_window *w, size_t size);
void line_window_close(struct line_window *w);

bool line_window_full(const struct line_window *w);

/* Line i, first <= i < end. */
struct line_window_line *line_window_at(
    const struct line_window *w, uint64_t i);

/*
 * Adds a line of input to a window that is not full; if it is not whole, its
 * beginning.  What is no increment is answered at once, an error line by
 * itself.  0, or -1 with errno ENOMEM: unchanged.
 */
int line_window_add(struct line_window *w, const char *text, size_t len,
    bool whole, uint64_t number);

/* The one place where a line gets its verdict. */
void line_window_settle(
    struct line_window *w, struct line_window_line *l, enum fault fault);

/* Does a line wait for a request? */
bool line_window_waiting(const struct line_window *w);

/* The next line that waits, which goes on waiting; NULL: none. */
const struct line_window_line *line_window_peek(const struct line_window *w);

/* The next line that waits, asked from now on; NULL: none. */
struct line_window_line *line_window_next(struct line_window *w);

/* Settles all lines that wait as unavailable, with this detail, constant; NULL:
 * that of the fault. */
void line_window_give_up(struct line_window *w, const char *detail);

/* The verdict of a line that is given up: unknown if it is doubtful, else
 * unavailable. */
enum fault line_window_doubt(const struct line_window_line *l);

/* Is the verdict of the first line known? */
bool line_window_has_verdict(const struct line_window *w);

/* Adds the verdicts at the front to out, until it has max bytes, and lets go
 * of their lines.  0, or -1 with errno ENOMEM. */
int line_window_release(struct line_window *w, struct buf *out, size_t max);

#endif
