/*
 * The batches of adopted consumers that are on their way into the table: a
 * range is a window of consecutive batches of one consumer.  Pure.
 *
 *	FREE -> OPEN -> KNOWN -> SENT --------------> DONE -> FREE
 *	         |        |       |  \ it did not      ^
 *	         |        |       |   move: OPEN ------+
 *	         |        |       lost: KNOWN          |
 *	         +--------+--- all is in the table ----+
 *
 * One whose row stands lower than it can is LOST until it is known what is
 * left below (going_back.h): then it is KNOWN, or FREE and not counted.
 *
 * A range takes batches until its first statement, SCHEDULE_LINGER_MS after the
 * oldest open one was opened; from then on it is frozen, and batches that
 * follow go into a second range of its consumer, which waits for the first.
 */
#ifndef INCR_ADOPTED_RANGES_H
#define INCR_ADOPTED_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flush/window.h"
#include "postgres/apply_many.h"
#include "record/control.h"
#include "record/id.h"

enum { ADOPTED_RANGES_MAX = APPLY_MANY_MAX };

enum adopted_state {
	ADOPTED_FREE,
	ADOPTED_OPEN,  /* its ledger row is to be read */
	ADOPTED_KNOWN, /* the row stood at the window's base */
	ADOPTED_LOST,  /* the row stands lower */
	ADOPTED_SENT,  /* it is in the statement that is under way */
	ADOPTED_DONE   /* it is in the table, not acknowledged */
};

struct adopted_range {
	enum adopted_state state;
	struct window *window; /* borrowed */
	bool frozen;           /* it was in a statement: no batch is added */
	bool asked;            /* its row is being read */
	bool replayed;         /* of DONE: it was in the table before */
	int unmoved;           /* times that its row should have moved */
	int64_t again_ms;      /* clock_ms(): not before */
	uint64_t row;          /* of LOST */
};

struct adopted_ranges {
	struct adopted_range list[ADOPTED_RANGES_MAX];
	size_t n;          /* that are not free */
	size_t size;       /* window_size of all of them */
	size_t keys_max;   /* with which a statement is full, and which none */
	size_t keys_most;  /* may pass; both set by the caller */
	bool hurry;        /* no lingering; set by the caller, too */
	int64_t opened_ms; /* of the oldest range that is not frozen */
};

/* windows: ADOPTED_RANGES_MAX, borrowed for ever and empty. */
void adopted_ranges_open(struct adopted_ranges *a, struct window *windows);

/* May b, the batch of point, be added now?  If not, the statement that makes
 * room for it is hurried. */
bool adopted_ranges_take(struct adopted_ranges *a,
    const struct control_checkpoint *point, const struct batch *b);

/* Adds b, the batch of point, which self has adopted and which may be added.
 * 0, or -1 with errno ENOMEM: the range must not be committed. */
int adopted_ranges_add(struct adopted_ranges *a,
    const struct control_checkpoint *point, const struct id *self,
    const struct batch *b, int64_t age_ms, int64_t now_ms);

/* The clock_ms() at which r's row is to be read (OPEN), or r to be sent
 * (KNOWN); IO_FOREVER in other states, and behind a range of its consumer. */
int64_t adopted_ranges_due(const struct adopted_ranges *a,
    const struct adopted_range *r, int64_t now_ms);
/* Of all. */
int64_t adopted_ranges_next(const struct adopted_ranges *a, int64_t now_ms);

/* r goes with the statement. */
void adopted_ranges_send(struct adopted_range *r, int64_t now_ms);
/* Nothing is under way any more: what was asked or sent may be done, or be
 * done later. */
void adopted_ranges_lose(struct adopted_ranges *a);
/* Another server may have other rows. */
void adopted_ranges_forget(struct adopted_ranges *a);

/*
 * r's row is row.  WINDOW_THERE: it is done; WINDOW_PARTLY: the batches to row
 * were dropped; WINDOW_AGAIN: nothing of it is there; WINDOW_LOST: the row is
 * lower than it can be.  0, or -1 with errno ENOMEM.
 */
int adopted_ranges_judge(struct adopted_ranges *a, struct adopted_range *r,
    uint64_t row, enum window_verdict *ret);

/* After WINDOW_LOST: r becomes LOST until it is known which batches are left
 * between row and r. */
void adopted_ranges_wait(struct adopted_range *r, uint64_t row);
/* A range that is LOST, NULL: none. */
struct adopted_range *adopted_ranges_lost(struct adopted_ranges *a);
/* Nothing is left between r's row and r: it is counted from there. */
void adopted_ranges_pass(struct adopted_range *r);

/* A range that is done, NULL: none.  adopted_ranges_free gives it back. */
struct adopted_range *adopted_ranges_done(struct adopted_ranges *a);
void adopted_ranges_free(struct adopted_ranges *a, struct adopted_range *r);

#endif
