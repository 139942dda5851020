#include "flush/ledger_gc.h"

#include <string.h>

#include "base/clock.h"

enum { DAY_MS = 86400000 };

static void next(
    struct ledger_gc *r, struct committer *l, struct acknowledger *c);
static void next_page(struct ledger_gc *r, struct committer *l);

void
ledger_gc_start(struct ledger_gc *r, struct committer *l, int64_t now_ms)
{
	static const struct id nil;

	if (r->state != LEDGER_GC_WAIT || now_ms < r->due_ms)
		return;
	r->state = LEDGER_GC_FIND;
	committer_find_old(l, &nil);
}

void
ledger_gc_found(
    struct ledger_gc *r, struct committer *l, struct acknowledger *c)
{
	r->n = l->old_n;
	r->at = r->n_gone = 0;
	memcpy(r->ids, l->old, r->n * sizeof *r->ids);
	next(r, l, c);
}

void
ledger_gc_answer(
    struct ledger_gc *r, struct committer *l, struct acknowledger *c)
{
	if (!c->registered)
		r->gone[r->n_gone++] = r->ids[r->at];
	r->at++;
	next(r, l, c);
}

static void
next(struct ledger_gc *r, struct committer *l, struct acknowledger *c)
{
	if (r->at < r->n) {
		r->state = LEDGER_GC_ASK;
		acknowledger_ask(c, &r->ids[r->at]);
	} else if (r->n_gone > 0) {
		r->state = LEDGER_GC_FORGET;
		committer_forget(l, r->gone, r->n_gone);
	} else {
		next_page(r, l);
	}
}

void
ledger_gc_forgotten(struct ledger_gc *r, struct committer *l)
{
	next_page(r, l);
}

static void
next_page(struct ledger_gc *r, struct committer *l)
{
	if (r->n == STATEMENTS_OLD_MAX) {
		r->state = LEDGER_GC_FIND;
		committer_find_old(l, &r->ids[r->n - 1]);
		return;
	}
	r->state = LEDGER_GC_WAIT;
	r->due_ms = clock_ms() + DAY_MS;
}
