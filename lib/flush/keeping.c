/* Bounds the batches that are kept for a Postgres that goes back. */
#include "flush/keeping.h"

#include <inttypes.h>

void
keeping_add(struct keeping *k)
{
	k->due_ms = 0;
}

int
keeping_trim(const struct keeping *k, struct queue *q)
{
	uint64_t messages = k->high_water / 2;

	return queue_trim(q, k->high_water > 0 && messages == 0 ? 1 : messages);
}

void
keeping_trimmed(
    struct keeping *k, const struct queue_trimmed *t, int64_t now_ms)
{
	k->last = *t;
	k->batches += t->batches;
	k->due_ms = now_ms;
	if (!t->more)
		k->due_ms +=
		    t->kept > 0 || t->is_short ? KEEPING_MS : KEEPING_NONE_MS;
}

bool
keeping_news(struct keeping *k, const char *queue, char ret_why[REASON_MAX])
{
	if (k->said == k->last.is_short)
		return false;
	k->said = k->last.is_short;
	reason_set(ret_why,
	    k->said ? "queue %s: Redis lacks room to keep batches for their "
		      "time (--keep): the oldest give way"
		    : "queue %s: batches are kept for their time again "
		      "(--keep)",
	    queue);
	return true;
}
