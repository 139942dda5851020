/* Tells what a publisher has in hand, and why it does not send. */
#include "base/reason.h"
#include "publish/publisher.h"

struct publish_batch *
publisher_filling(const struct publisher *c)
{
	return c->filling;
}

bool
publisher_empty(const struct publisher *c)
{
	return c->state == BATCH_NONE && publish_batch_empty(c->filling);
}

int64_t
publisher_arrival(const struct publisher *c, int64_t empty_ms, int64_t now_ms)
{
	return wait_limit_arrival(&c->limit, empty_ms, now_ms);
}

size_t
publisher_count(const struct publisher *c, size_t *ret_in_doubt)
{
	*ret_in_doubt =
	    batch_state_in_doubt(c->state, queue_status(c->queue)->sent)
		? c->in_flight->n_data
		: 0;
	return c->in_flight->n_data + c->filling->n_data;
}

uint64_t
publisher_high_water(const struct publisher *c)
{
	if (c->set.high_water > 0)
		return c->set.high_water;
	return queue_status(c->queue)->maxmemory / 4 * 3 /
	       PUBLISHER_MESSAGE_BYTES;
}

const char *
publisher_why(const struct publisher *c, char ret[REASON_MAX])
{
	if (c->why[0] != '\0')
		reason_set(ret, "%s", c->why);
	else
		reason_set(ret, "redis: %s", queue_status(c->queue)->why);
	return ret;
}
