/*
 * The Postgres side of incr-flush: commits one frozen window at a time,
 * whatever becomes of statements and connections, reads ledger rows, and
 * finds and deletes old ones.  It prints nothing; the loop is that of
 * postgres.h: committer_wait, poll, committer_step.
 *
 *	committer_commit -> APPLY: the row moved ------------> COMMITTED
 *	                    ^ |  \ it did not
 *	                    | |   READ_ROW: all is in the table -> COMMITTED
 *	                    | |       |     none is, or a part
 *	                    +-+-------+
 *	                     lost
 *
 * A plain window, of which nobody else can have a part, is counted from
 * wherever a row stands that is lower than it was; one of a file is not.
 *
 * From committer_commit to committer_take the committer has the window; its
 * batches are Redis's until they are acknowledged, after COMMITTED.
 */
#ifndef INCR_COMMITTER_H
#define INCR_COMMITTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "flush/cost_model.h"
#include "flush/task_queue.h"
#include "flush/window.h"
#include "postgres/postgres.h"
#include "postgres/statements.h"
#include "queue/queue_identify.h"
#include "record/id.h"

enum { COMMITTER_PATIENCE_MS = 2000 }; /* beyond what is expected */

/* Statements, the most urgent first. */
enum committer_task {
	COMMITTER_NO_TASK = TASK_QUEUE_NONE,
	COMMITTER_APPLY,    /* the window's */
	COMMITTER_READ_ROW, /* APPLY moved no row: where does it stand? */
	COMMITTER_LOOK,     /* committer_look */
	COMMITTER_ROWS,     /* committer_rows */
	COMMITTER_FORGET,   /* committer_forget */
	COMMITTER_FIND_OLD, /* committer_find_old */
	COMMITTER_SUM       /* committer_sum */
};

enum committer_news {
	COMMITTER_NOTHING,
	COMMITTER_COMMITTED, /* the window is in the table: committer_take it */
	COMMITTER_ROW,       /* committer_look: row */
	COMMITTER_ROWS_READ, /* committer_rows: statements_row_of */
	COMMITTER_FOUND,     /* committer_find_old: old */
	COMMITTER_SUMMED,    /* committer_sum: ledger */
	COMMITTER_FORGOTTEN, /* committer_forget */
	/* The window can't be committed: */
	COMMITTER_PARTLY,  /* row: another process counted a part of it */
	COMMITTER_LOST,    /* row is lower than it was: Postgres went back */
	COMMITTER_TOO_OLD, /* window_too_old */
	COMMITTER_HIDDEN,  /* the row stands where the window begins, and does
			    * not move: a policy or a trigger hides it */
	COMMITTER_HIDDEN_LATER, /* the same, after it was right */
	COMMITTER_ELSEWHERE,    /* the connection leads to another database */
	COMMITTER_MEMORY,
	COMMITTER_FAULT /* configuration: postgres_status */
};

struct committer {
	struct postgres *pg; /* owned */
	const char *queue;   /* borrowed */
	struct task_queue tasks;
	bool bound; /* statements go to no other database than: */
	struct id database;
	struct window *window;  /* being committed, borrowed; NULL: none */
	bool replayed;          /* it was in the table before */
	int unmoved;            /* times that its row should have moved */
	int64_t waiting_ms;     /* clock_ms() of the last commit or look that
				 * is not done; 0: none */
	int64_t started_us;     /* clock_us() of its last statement */
	int64_t took_us;        /* the last statement that committed */
	struct cost_model cost; /* what the next one may take */
	struct id look_for;
	uint64_t row;             /* the last row that was read */
	const struct id *rows_of; /* borrowed */
	size_t n_rows;
	uint64_t lost; /* plain windows that were in the table and are not */
	struct queue_ledger ledger; /* summed up on this connection: */
	uint64_t summed;            /* 0: never */
	struct id old_after;        /* FIND_OLD begins behind it */
	struct statements_old old;  /* found, or to be forgotten */
};

/* Takes pg; queue is borrowed until committer_close, which closes pg. */
void committer_open(
    struct committer *c, struct postgres *pg, const char *queue);
void committer_close(struct committer *c);

/* What to poll for (fd -1: nothing), and the clock_ms() at which
 * committer_step is due. */
int64_t committer_wait(const struct committer *c, struct pollfd *ret_pfd);
enum committer_news committer_step(struct committer *c, short revents);

/* What a connection that is in this state means for the tasks on it. */
enum task_queue_link committer_link(enum postgres_state state);

/* Begins no statement but that of committer_sum before committer_bind. */
void committer_hold(struct committer *c);
/* Begins statements, in the database with this id only: on a connection to
 * another one there is COMMITTER_ELSEWHERE instead. */
void committer_bind(struct committer *c, const struct id *database);

/* Writes why news means that the window can't be committed, "object: reason";
 * only for the news that do, right after committer_step. */
void committer_explain(const struct committer *c, enum committer_news news,
    char ret_why[REASON_MAX]);

/* The exit status that news mean, 0 for those that do not. */
int committer_status(enum committer_news news);

/* Has what is to be done taken much longer than expected?  It may still be
 * done, at any time. */
bool committer_stalled(const struct committer *c, int64_t now_ms);

/* It has no window. */
bool committer_idle(const struct committer *c);

/* Freezes and commits w (open, not empty); only if committer_idle.  Borrowed
 * until committer_take. */
void committer_commit(struct committer *c, struct window *w);
/* After COMMITTER_COMMITTED: the window goes back to the caller. */
struct window *committer_take(struct committer *c);

/* Reads consumer's ledger row; only if committer_idle. */
void committer_look(struct committer *c, const struct id *consumer);

/* Reads the ledger rows of n consumers (borrowed until they are read), to
 * STATEMENTS_ROWS_MAX; only if committer_bind was called. */
void committer_rows(struct committer *c, const struct id *consumers, size_t n);

/* Sums up the lines that the ledger has of the queue. */
void committer_sum(struct committer *c);

/* Finds old consumers behind `after`, when nothing else is to be done. */
void committer_find_old(struct committer *c, const struct id *after);
/* Deletes the rows of old, when nothing else is to be done. */
void committer_forget(struct committer *c, const struct statements_old *old);

#endif
