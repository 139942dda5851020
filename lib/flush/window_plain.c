#include "flush/window_plain.h"

#include "base/failpoint.h"

enum { ID_MS = 86400000 /* a ledger row must not grow old in use */ };

void
window_plain_init(struct window_plain *p)
{
	id_make(&p->consumer);
	p->next = 1;
	p->committed_ms = 0;
}

void
window_plain_name(struct window_plain *p, struct window *w, int64_t now_ms)
{
	if (p->committed_ms > 0 && now_ms - p->committed_ms > ID_MS)
		window_plain_init(p);
	w->consumer = w->self = p->consumer;
	w->from = w->first = w->last = p->next++;
	FAILPOINT("flush-plain");
}
