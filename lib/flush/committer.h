/*
 * The Postgres side of incr-flush (layer 2): commits one frozen window at a
 * time, whatever becomes of statements and connections, and looks ledger
 * rows up.  It prints nothing; the loop is that of postgres.h:
 * ledger_wait, poll, ledger_step.
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

enum ledger_state {
	LEDGER_REST, /* no window */
	LEDGER_SEND, /* the window's statement is to be sent (again) */
	LEDGER_READ  /* it moved nothing: the row is to be read */
};

enum ledger_task { /* the statement under way */
	LEDGER_NO_TASK,
	LEDGER_APPLY,
	LEDGER_READ_ROW, /* of the window's consumer */
	LEDGER_LOOK,
	LEDGER_OLD,
	LEDGER_FORGET
};

enum ledger_news {
	LEDGER_NOTHING,
	LEDGER_COMMITTED, /* the window is in the table: ledger_take it */
	LEDGER_ROW,       /* row is what was looked up */
	LEDGER_FOUND,     /* old_n old consumers in old */
	LEDGER_FORGOTTEN,
	LEDGER_PARTLY,  /* another counted a part of an own window: 111 */
	LEDGER_LOST,    /* the row is lower than it can be: 101 */
	LEDGER_TOO_OLD, /* the window may not be committed any more: 111 */
	LEDGER_MEMORY,
	LEDGER_FAULT /* configuration: 100, postgres_why */
};

struct ledger {
	struct postgres *pg;   /* owned */
	const char *queue;     /* borrowed */
	struct window *window; /* borrowed while not LEDGER_REST */
	enum ledger_state state;
	enum ledger_task task;
	bool replayed;      /* the window was there before */
	int64_t started_us; /* tick_us() of the statement under way */
	int64_t took_us;    /* the last statement that committed */
	struct pace pace;   /* and what the next one may take */
	bool looking;       /* for look's row */
	struct id look;
	uint64_t row;
	bool find_old;             /* after old_after */
	bool forget;               /* the old_n of old */
	struct id old_after, *old; /* STORE_OLD_MAX, owned */
	size_t old_n;
	int64_t down_ms; /* tick_ms() since when nothing was answered, 0 */
	bool failed;     /* and there is a reason: postgres_why */
};

/* Takes pg.  0, or -1 if memory is gone. */
int ledger_open(struct ledger *l, struct postgres *pg, const char *queue);
void ledger_close(struct ledger *l);

int64_t ledger_wait(const struct ledger *l, struct pollfd *ret_pfd);
enum ledger_news ledger_step(struct ledger *l, short revents);

/* Freezes w (open, not empty) and commits it; only in LEDGER_REST. */
void ledger_commit(struct ledger *l, struct window *w);
/* After LEDGER_COMMITTED: the window goes back to the caller. */
struct window *ledger_take(struct ledger *l);

/* Looks up consumer's row; only in LEDGER_REST.  Repeated until there is
 * an answer. */
void ledger_look(struct ledger *l, const struct id *consumer);

/* Finds old consumers behind `after`; deletes the rows of n of them (at most
 * STORE_OLD_MAX, copied).  Both when nothing else is to be done. */
void ledger_find_old(struct ledger *l, const struct id *after);
void ledger_forget(struct ledger *l, const struct id *consumers, size_t n);

#endif
