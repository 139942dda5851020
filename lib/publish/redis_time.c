/* Keeps what time it is at a Redis, by its replies. */
#include "publish/redis_time.h"

void
redis_time_take(
    struct redis_time *t, uint64_t run, int64_t told_ms, int64_t now_ms)
{
	*t = (struct redis_time){run, told_ms, now_ms};
}

uint64_t
redis_time_ahead(
    const struct redis_time *t, uint64_t run, int64_t now_ms, int64_t ahead_s)
{
	if (t->reply_ms == 0 || t->run != run)
		return 0;
	return (uint64_t)(t->told_ms + now_ms - t->reply_ms + ahead_s * 1000);
}
