/* Time limits are judged after what has come was looked at. */
#include "net/judged_time.h"

#include <stdbool.h>

static bool was_paused(
    const struct judged_time *t, const struct judged_time_look *look);

void
judged_time_looked(struct judged_time *t, const struct judged_time_look *look)
{
	if (was_paused(t, look))
		t->hold_ms = look->ended_ms + JUDGED_TIME_HOLD_MS;
	if (look->looked_ms >= t->hold_ms && look->looked_ms > t->now_ms)
		t->now_ms = look->looked_ms;
}

/* Not again right behind the last hold. */
static bool
was_paused(const struct judged_time *t, const struct judged_time_look *look)
{
	return look->due_ms < look->ended_ms - JUDGED_TIME_LATE_MS &&
	       look->ended_ms >= t->hold_ms + JUDGED_TIME_HOLD_MS;
}

int64_t
judged_time_due(const struct judged_time *t, int64_t due_ms)
{
	return due_ms > t->now_ms && due_ms < t->hold_ms ? t->hold_ms : due_ms;
}
