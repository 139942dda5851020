/* Measures the queue in between the batches of a publisher. */
#include "publish/publisher_measure.h"

#include "base/clock.h"

/* At most once a second, so it may come before the next batch; but not before
 * one that Redis may have. */
bool
publisher_measure_begin(struct publisher *c, int64_t now_ms)
{
	if (c->set.gauges == NULL)
		return false;
	c->measure |= queue_gauges_want(c->set.gauges, now_ms);
	if (c->measure && queue_status(c->queue)->idle &&
	    (c->state == BATCH_NONE || c->state == BATCH_UNSENT) &&
	    queue_measure(c->queue) == 0) {
		c->measure = false;
		c->measuring = true;
	}
	return c->measuring;
}

enum queue_state
publisher_measure_step(struct publisher *c, enum queue_state state)
{
	if (!c->measuring || state == QUEUE_CALLING || state == QUEUE_FAULT)
		return state;
	c->measuring = false;
	if (state == QUEUE_DONE)
		queue_gauges_show(c->set.gauges, queue_lengths(c->queue));
	else
		queue_gauges_fail(c->set.gauges, clock_ms());
	if (state == QUEUE_DONE || state == QUEUE_REFUSED)
		return QUEUE_IDLE;
	return state == QUEUE_LOST ? QUEUE_DOWN : state;
}
