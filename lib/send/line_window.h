/*
 * Increments in hand (layer 2): in order, from input to verdict.  Pure but
 * for memory.
 *
 *	first             next              end
 *	  | in requests,    | waiting         |
 *	  | or answered     |                 |
 *
 * Counters run on and are taken modulo the size.
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
	LINE_WINDOW_OPEN,    /* its verdict is not known */
	LINE_WINDOW_ANSWERED /* it is */
};

struct line_window_line {
	enum line_window_state state;
	enum fault fault; /* of a line answered; FAULT_NONE: the text itself */
	bool maybe;       /* it was sent, and may have been counted */
	uint64_t number;  /* of the input line */
	size_t place;     /* in its request, from 1; the parcel's */
	struct buf text;  /* as it came */
	size_t body_len;  /* 0: it is not sent */
	char body[INCREMENT_TEXT];
};

struct line_window {
	struct line_window_line *lines;
	size_t size;
	uint64_t first, next, end;
	uint64_t open; /* from next on */
	/* Lines by their verdict, and the first one that was rejected. */
	uint64_t delivered, rejected, unavailable, unknown;
	uint64_t first_rejected;
	enum fault first_fault;
};

/* 0, or -1 if memory is gone. */
int line_window_open(struct line_window *h, size_t size);
void line_window_close(struct line_window *h);

bool line_window_full(const struct line_window *h);

/* Line i, first <= i < end. */
struct line_window_line *line_window_at(
    const struct line_window *h, uint64_t i);

/*
 * Adds a line of input, at most its beginning if it is not whole.  What is
 * no increment is answered at once, an error line by itself.  0, or -1 if
 * memory is gone.
 */
int line_window_add(struct line_window *h, const char *text, size_t len,
    bool whole, uint64_t number);

/* The one place where a line gets its verdict. */
void line_window_settle(
    struct line_window *h, struct line_window_line *l, enum fault fault);

/* Is there a line that is in no request yet? */
bool line_window_waiting(const struct line_window *h);

/* The next such line, which is in one now; NULL if there is none. */
struct line_window_line *line_window_next(struct line_window *h);

/* Those are unavailable. */
void line_window_give_up(struct line_window *h);

/* What is known of a line that is given up. */
enum fault line_window_doubt(const struct line_window_line *l);

/* Is the verdict of the first line known? */
bool line_window_has_verdict(const struct line_window *h);

/* Adds the verdicts at the front to out, until it has max bytes, and lets go
 * of their lines.  0, or -1 if memory is gone. */
int line_window_release(struct line_window *h, struct buf *out, size_t max);

#endif
