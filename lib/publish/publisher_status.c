/* Tells what a publisher has in hand, and why it does not send. */
#include "base/reason.h"
#include "publish/publisher.h"

bool
publisher_empty(const struct publisher *c)
{
	return c->state == BATCH_NONE &&
	       publish_batch_empty(batch_list_first(&c->waiting)) &&
	       c->waiting.n == 1;
}

enum publish_batch_taken
publisher_add(struct publisher *c, const struct publish_batch_line *line,
    const struct publish_batch_judged *judged, struct control_error *ret_error)
{
	if (publish_batch_full(batch_list_last(&c->waiting)) &&
	    batch_list_more(&c->waiting) < 0)
		return PUBLISH_BATCH_NO_MEMORY;
	return publish_batch_add(
	    batch_list_last(&c->waiting), line, judged, ret_error);
}

int
publisher_each(const struct publisher *c,
    int (*add)(void *ctx, const struct publish_batch_line *line), void *ctx)
{
	if (publish_batch_each(c->in_flight, add, ctx) < 0)
		return -1;
	for (size_t i = 0; i < c->waiting.n; i++)
		if (publish_batch_each(c->waiting.list[i], add, ctx) < 0)
			return -1;
	return 0;
}

unsigned
publisher_shards(const struct publisher *c)
{
	return c->n_shards;
}

size_t
publisher_bytes(const struct publisher *c)
{
	return c->out.len + c->in_flight->text.len +
	       c->in_flight->encoded.resp.len + batch_list_bytes(&c->waiting);
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
	return c->in_flight->n_data + batch_list_data(&c->waiting);
}

uint64_t
publisher_high_water(const struct publisher *c)
{
	unsigned shards = c->n_shards > 1 ? c->n_shards : 1;
	uint64_t all = c->set.high_water;

	if (all == 0)
		all = queue_status(c->queue)->maxmemory / 4 * 3 /
		      PUBLISHER_MESSAGE_BYTES;
	return all / shards + (all % shards > 0);
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
