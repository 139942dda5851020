/* Finds and deletes ledger rows whose consumers are gone from Redis. */
#include "flush/ledger_gc.h"

#include "base/clock.h"

enum { DAY_MS = 86400000 };

static void next(
    struct ledger_gc *gc, struct committer *c, struct acknowledger *a);
static void next_page(struct ledger_gc *gc, struct committer *c);

void
ledger_gc_start(struct ledger_gc *gc, struct committer *c, int64_t now_ms)
{
	static const struct id nil;

	if (gc->state != LEDGER_GC_WAIT || now_ms < gc->due_ms)
		return;
	gc->state = LEDGER_GC_FIND;
	committer_find_old(c, &nil);
}

void
ledger_gc_found(
    struct ledger_gc *gc, struct committer *c, struct acknowledger *a)
{
	gc->old = c->old;
	gc->at = gc->gone.n = 0;
	next(gc, c, a);
}

void
ledger_gc_answer(
    struct ledger_gc *gc, struct committer *c, struct acknowledger *a)
{
	if (!a->registered)
		gc->gone.consumers[gc->gone.n++] = gc->old.consumers[gc->at];
	gc->at++;
	next(gc, c, a);
}

static void
next(struct ledger_gc *gc, struct committer *c, struct acknowledger *a)
{
	if (gc->at < gc->old.n) {
		gc->state = LEDGER_GC_ASK;
		acknowledger_ask(a, &gc->old.consumers[gc->at]);
	} else if (gc->gone.n > 0) {
		gc->state = LEDGER_GC_FORGET;
		committer_forget(c, &gc->gone);
	} else {
		next_page(gc, c);
	}
}

void
ledger_gc_forgotten(struct ledger_gc *gc, struct committer *c)
{
	next_page(gc, c);
}

static void
next_page(struct ledger_gc *gc, struct committer *c)
{
	if (gc->old.n == STATEMENTS_OLD_MAX) {
		gc->state = LEDGER_GC_FIND;
		committer_find_old(c, &gc->old.consumers[gc->old.n - 1]);
		return;
	}
	gc->state = LEDGER_GC_WAIT;
	gc->due_ms = clock_ms() + DAY_MS;
}
