/* Notes for how long no look has shown a flush mark. */
#include "consume/mark_watch.h"

#include "base/num.h"

bool
mark_watch_look(struct mark_watch *w, bool marked, uint64_t n, int64_t now_ms)
{
	bool goes_on = w->again_ms != 0 && w->connection == n;
	int64_t wait_ms = num_min(2 * w->tried_ms, MARK_WATCH_MAX_MS);

	w->connection = n;
	if (marked) {
		w->again_ms = w->tried_ms = 0;
		return false;
	}
	if (wait_ms == 0)
		wait_ms = MARK_WATCH_MS;
	if (!goes_on)
		w->again_ms = now_ms + wait_ms;
	if (now_ms < w->again_ms)
		return false;
	w->again_ms = 0;
	w->tried_ms = wait_ms;
	return true;
}
