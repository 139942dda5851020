/* Notes the number of shards at the queue itself. */
#include "publish/shard_number.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/outage.h"
#include "queue/shards.h"

enum { RETRY_MS = 200 /* what was refused */ };

int
shard_number_open(struct shard_number *s, const struct publisher_settings *set,
    const char **ret_why)
{
	*s = (struct shard_number){.name = set->queue, .n = set->shards};
	s->queue = queue_open(set->url, set->queue, ret_why);
	if (s->queue == NULL)
		return -1;
	queue_replicate(s->queue, set->replicas);
	return 0;
}

void
shard_number_close(struct shard_number *s)
{
	queue_close(s->queue);
}

static bool
is_due(const struct shard_number *s)
{
	const struct session_status *status = queue_status(s->queue);

	return status->idle && (!s->noted || s->run != status->run);
}

int64_t
shard_number_wait(const struct shard_number *s, struct pollfd *ret_pfd)
{
	int64_t due_ms = queue_wait(s->queue, ret_pfd);

	if (!s->noted && s->down_ms != 0 &&
	    clock_ms() < s->down_ms + OUTAGE_SAY_MS)
		due_ms = num_min(due_ms, s->down_ms + OUTAGE_SAY_MS);
	return is_due(s) ? num_min(due_ms, s->retry_ms) : due_ms;
}

static enum publisher_state
answered(struct shard_number *s)
{
	unsigned n = queue_sharded(s->queue);

	if (n != s->n) {
		reason_set(s->why,
		    "queue %s: has noted %u shard%s, not %u (--shards); "
		    "another number needs a queue of another name",
		    s->name, n, n == 1 ? "" : "s", s->n);
		return PUBLISHER_FAULT;
	}
	s->noted = true;
	s->run = queue_status(s->queue)->run;
	return PUBLISHER_WELL;
}

/* Is it told that nothing could be noted so far? */
static enum publisher_state
down(struct shard_number *s, int64_t now_ms)
{
	if (s->down_ms == 0)
		s->down_ms = now_ms;
	reason_set(s->why, "queue %s: shards not noted: redis: %s", s->name,
	    queue_status(s->queue)->why);
	return s->noted || now_ms < s->down_ms + OUTAGE_SAY_MS
		   ? PUBLISHER_WELL
		   : PUBLISHER_WAITING;
}

enum publisher_state
shard_number_step(struct shard_number *s, short revents, int64_t now_ms)
{
	enum queue_state state = queue_step(s->queue, revents);

	switch (state) {
	case QUEUE_FAULT:
		reason_set(s->why, "redis: %s", queue_status(s->queue)->why);
		return PUBLISHER_FAULT;
	case QUEUE_DONE: s->down_ms = 0; return answered(s);
	case QUEUE_LOST:
	case QUEUE_REFUSED:
		s->retry_ms = now_ms + RETRY_MS;
		return down(s, now_ms);
	case QUEUE_DOWN: return down(s, now_ms);
	case QUEUE_IDLE:
	case QUEUE_CALLING: break;
	}
	if (is_due(s) && now_ms >= s->retry_ms &&
	    queue_shards(s->queue, s->n) < 0)
		return PUBLISHER_NO_MEMORY;
	return PUBLISHER_WELL;
}
