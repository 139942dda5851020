/* Lowers what is asked for in one reply, and raises it again. */
#include "queue/reply_limit.h"

void
reply_limit_begin(struct reply_limit *l, int64_t now_ms)
{
	l->begun_ms = now_ms;
	if (l->bytes == 0 || now_ms < l->lost_ms + REPLY_LIMIT_RAISE_MS)
		return;
	l->lost_ms = now_ms;
	if (l->single)
		l->single = false;
	else
		l->bytes *= 4;
	if (l->bytes >= REPLY_LIMIT_BYTES)
		l->bytes = 0;
}

bool
reply_limit_lost(struct reply_limit *l, int64_t timeout_ms, int64_t now_ms)
{
	if (now_ms - l->begun_ms >= timeout_ms)
		return false;
	l->lost_ms = now_ms;
	l->failed = l->single;
	if (l->bytes == 0)
		l->bytes = REPLY_LIMIT_BYTES;
	if (l->bytes > REPLY_LIMIT_LEAST)
		l->bytes /= 4;
	else
		l->single = true;
	return true;
}

void
reply_limit_met(struct reply_limit *l)
{
	l->failed = false;
}
