/* Adds up what was counted. */
#include "flush/flush_tally.h"

void
flush_tally_commit(struct flush_tally *t, const struct window *w, bool replayed,
    int64_t took_us, size_t keys, int64_t now_ms)
{
	if (replayed)
		t->replayed += w->last - w->first + 1;
	else
		t->flushed += w->lines;
	t->commits++;
	t->took_us = took_us;
	t->keys = keys;
	t->staleness_ms =
	    w->oldest_ms == INT64_MAX ? -1 : now_ms - w->oldest_ms;
}
