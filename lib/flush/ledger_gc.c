#include "flush/ledger_gc.h"

#include <string.h>

#include "base/clock.h"

enum { DAY_MS = 86400000 };

static void next(struct retire *r, struct ledger *l, struct claims *c);
static void next_page(struct retire *r, struct ledger *l);

void
retire_start(struct retire *r, struct ledger *l, int64_t now_ms)
{
	static const struct id nil;

	if (r->state != RETIRE_WAIT || now_ms < r->due_ms)
		return;
	r->state = RETIRE_FIND;
	ledger_find_old(l, &nil);
}

void
retire_found(struct retire *r, struct ledger *l, struct claims *c)
{
	r->n = l->old_n;
	r->at = r->n_gone = 0;
	memcpy(r->ids, l->old, r->n * sizeof *r->ids);
	next(r, l, c);
}

void
retire_answer(struct retire *r, struct ledger *l, struct claims *c)
{
	if (!c->registered)
		r->gone[r->n_gone++] = r->ids[r->at];
	r->at++;
	next(r, l, c);
}

static void
next(struct retire *r, struct ledger *l, struct claims *c)
{
	if (r->at < r->n) {
		r->state = RETIRE_ASK;
		claims_ask(c, &r->ids[r->at]);
	} else if (r->n_gone > 0) {
		r->state = RETIRE_FORGET;
		ledger_forget(l, r->gone, r->n_gone);
	} else {
		next_page(r, l);
	}
}

void
retire_forgotten(struct retire *r, struct ledger *l)
{
	next_page(r, l);
}

static void
next_page(struct retire *r, struct ledger *l)
{
	if (r->n == STORE_OLD_MAX) {
		r->state = RETIRE_FIND;
		ledger_find_old(l, &r->ids[r->n - 1]);
		return;
	}
	r->state = RETIRE_WAIT;
	r->due_ms = tick_ms() + DAY_MS;
}
