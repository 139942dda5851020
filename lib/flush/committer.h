/*
 * The Postgres side of incr-flush (layer 2): commits one frozen window at a
 * time, whatever becomes of statements and connections, and looks ledger
 * rows up.  It prints nothing; the loop is that of postgres.h:
 * committer_wait, poll, committer_step.
 *
 *	SEND -> statement -> moved -------------------------> COMMITTED
 *	  ^         |          \-> READ -> row says: there -> COMMITTED
 *	  |         |                |     row says: not yet or partly
 *	  +-- lost -+----------------+
 */
#ifndef INCR_COMMITTER_H
#define INCR_COMMITTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flush/cost_model.h"
#include "flush/window.h"
#include "postgres/postgres.h"
#include "record/id.h"

enum committer_state {
	COMMITTER_REST, /* no window */
	COMMITTER_SEND, /* the window's statement is to be sent (again) */
	COMMITTER_READ  /* it moved nothing: the row is to be read */
};

enum committer_task { /* the statement under way */
	COMMITTER_NO_TASK,
	COMMITTER_APPLY,
	COMMITTER_READ_ROW, /* of the window's consumer */
	COMMITTER_LOOK,
	COMMITTER_OLD,
	COMMITTER_FORGET
};

enum committer_news {
	COMMITTER_NOTHING,
	COMMITTER_COMMITTED, /* the window is in the table: committer_take it */
	COMMITTER_ROW,       /* row is what was looked up */
	COMMITTER_FOUND,     /* old_n old consumers in old */
	COMMITTER_FORGOTTEN,
	COMMITTER_PARTLY,  /* another counted a part of an own window: 111 */
	COMMITTER_LOST,    /* the row is lower than it can be: 101 */
	COMMITTER_TOO_OLD, /* the window may not be committed any more: 111 */
	COMMITTER_MEMORY,
	COMMITTER_FAULT /* configuration: 100, postgres_why */
};

struct committer {
	struct postgres *pg;   /* owned */
	const char *queue;     /* borrowed */
	struct window *window; /* borrowed while not COMMITTER_REST */
	enum committer_state state;
	enum committer_task task;
	bool replayed;          /* the window was there before */
	int64_t started_us;     /* clock_us() of the statement under way */
	int64_t took_us;        /* the last statement that committed */
	struct cost_model cost; /* and what the next one may take */
	bool looking;           /* for look's row */
	struct id look;
	uint64_t row;
	bool find_old;             /* after old_after */
	bool forget;               /* the old_n of old */
	struct id old_after, *old; /* STATEMENTS_OLD_MAX, owned */
	size_t old_n;
	int64_t down_ms; /* clock_ms() since when nothing was answered, 0 */
	bool failed;     /* and there is a reason: postgres_why */
};

/* Takes pg.  0, or -1 if memory is gone. */
int committer_open(struct committer *l, struct postgres *pg, const char *queue);
void committer_close(struct committer *l);

int64_t committer_wait(const struct committer *l, struct pollfd *ret_pfd);
enum committer_news committer_step(struct committer *l, short revents);

/* Freezes w (open, not empty) and commits it; only in COMMITTER_REST. */
void committer_commit(struct committer *l, struct window *w);
/* After COMMITTER_COMMITTED: the window goes back to the caller. */
struct window *committer_take(struct committer *l);

/* Looks up consumer's row; only in COMMITTER_REST.  Repeated until there is
 * an answer. */
void committer_look(struct committer *l, const struct id *consumer);

/* Finds old consumers behind `after`; deletes the rows of n of them (at most
 * STATEMENTS_OLD_MAX, copied).  Both when nothing else is to be done. */
void committer_find_old(struct committer *l, const struct id *after);
void committer_forget(
    struct committer *l, const struct id *consumers, size_t n);

#endif
