/*
 * Asks how many shards there are, then introduces a publisher.
 *
 * A tag has its mark in the shard of its increment.  So nothing is published
 * before it is known that all publishers of the queue have the same number.
 * The queue itself notes it first, its shards after it.
 */
#include "publish/publisher_introduce.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "queue/shards.h"

enum { UNDECIDED_MS = 50 /* to the next question */ };

/*
 * Before its first batch, and not with it: a record that is missing when a
 * batch is repeated would mean that it was not pushed, or that it was, and
 * the clock of Redis was set forward beyond the life of the record.
 */
int
publisher_introduce_begin(struct publisher *c)
{
	bool decided = c->set.decided == NULL || *c->set.decided;
	unsigned told = c->set.shards == 0 ? 1 : c->set.shards;

	c->asking = c->asked != queue_status(c->queue)->run;
	if (c->asking)
		return FAILPOINT_AFTER("publish-shards-sent",
		    queue_shards(c->queue, decided ? told : 0));
	return FAILPOINT_AFTER("publish-introduce-sent",
	    queue_introduce(c->queue, &c->id, &c->before));
}

/* Is what is noted as it should be?  Told none, a publisher that has taken one
 * shard is one that was told so: lines were sent, and the text of those to come
 * is not kept for others. */
static enum publisher_state
judge(struct publisher *c, unsigned n)
{
	char queue[QUEUE_NAME_MAX + 1];
	unsigned i;

	if (n == 1 && c->set.shards == 0)
		c->set.shards = n;
	if (n == c->set.shards)
		return PUBLISHER_WELL;
	if (n > 1 && c->set.decided == NULL &&
	    shard_parse(c->set.queue, queue, &i)) {
		reason_set(c->why,
		    "queue %s: shard of queue %s, which has %u; publish to "
		    "that one",
		    c->set.queue, queue, n);
		return PUBLISHER_FAULT;
	}
	if (c->set.shards == 0)
		return PUBLISHER_SHARDED;
	reason_set(c->why,
	    "queue %s: has noted %u shard%s, not %u (--shards); another number "
	    "needs a queue of another name",
	    c->set.queue, n, n == 1 ? "" : "s", c->set.shards);
	return PUBLISHER_FAULT;
}

static enum publisher_state
asked(struct publisher *c, enum batch_event *ret_event)
{
	unsigned n = queue_sharded(c->queue);

	c->asking = false;
	*ret_event = BATCH_ASKED;
	if (n == 0) { /* a shard, and its queue has not noted it yet */
		c->retry_ms = clock_ms() + UNDECIDED_MS;
		reason_set(c->why,
		    "queue %s: its queue has not noted the number of shards",
		    c->set.queue);
		return PUBLISHER_WELL;
	}
	c->n_shards = n;
	c->asked = queue_status(c->queue)->run;
	c->waiting.keeps = c->set.echo;
	return judge(c, n);
}

static enum publisher_state
introduced(struct publisher *c, enum batch_event *ret_event)
{
	const struct queue_introduced *i = queue_introduced(c->queue);

	FAILPOINT("publish-introduced");
	redis_time_take(
	    &c->redis_time, queue_status(c->queue)->run, i->at_ms, clock_ms());
	if (!i->is_new) {
		c->trouble = PUBLISHER_REFUSED;
		reason_set(c->why, "redis: new publisher id is in use already");
		*ret_event = BATCH_KNOWN;
		return PUBLISHER_WELL;
	}
	c->introduced = true;
	c->before.at_ms = i->at_ms;
	c->before.run = c->run;
	if (i->lacks > 0)
		c->set.lacking(c->set.queue, i->lacks);
	*ret_event = BATCH_INTRODUCED;
	return PUBLISHER_WELL;
}

enum publisher_state
publisher_introduce_end(struct publisher *c, enum batch_event *ret_event)
{
	return c->asking ? asked(c, ret_event) : introduced(c, ret_event);
}
