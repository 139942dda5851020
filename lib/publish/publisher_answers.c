/* Answers the lines of batches, and counts them: the inside of a publisher. */
#include "publish/publisher_answers.h"

#include "base/clock.h"

static void refuse_reused(struct publisher *c, size_t i);
static enum publisher_state release(struct publisher *c);

/*
 * There is no room, and no earlier sending may yet be done: whoever waits for
 * the answers gets them now.
 */
enum publisher_state
publisher_answers_no_room(struct publisher *c)
{
	const struct queue_published *published = queue_published(c->queue);

	for (size_t i = 0, n = c->in_flight->n_data; i < n; i++) {
		if (queue_published_reused(published, i)) {
			refuse_reused(c, i);
		} else if (!queue_published_known(published, i)) {
			publish_batch_refuse(
			    c->in_flight, i, FAULT_UNAVAILABLE);
			c->counts.rejected[FAULT_UNAVAILABLE]++;
			c->failed = true;
		}
	}
	return release(c);
}

enum publisher_state
publisher_answers_settle(struct publisher *c)
{
	const struct queue_published *published = queue_published(c->queue);
	size_t n = c->in_flight->n_data, reused = 0;
	bool any = queue_published_any_reused(published);

	for (size_t i = 0; any && i < n; i++) {
		if (!queue_published_reused(published, i))
			continue;
		reused++;
		refuse_reused(c, i);
	}
	c->seq++;
	c->counts.published += n - reused;
	c->counts.batches++;
	c->set.settled(clock_us() - c->sent_us);
	return release(c);
}

static void
refuse_reused(struct publisher *c, size_t i)
{
	c->counts.rejected[FAULT_IDEMPOTENCY_KEY_REUSED]++;
	c->set.reused(publish_batch_refuse(
	    c->in_flight, i, FAULT_IDEMPOTENCY_KEY_REUSED));
}

/* Redis may have the batch or get it yet, so nobody sends it again. */
enum publisher_state
publisher_answers_unknown(struct publisher *c)
{
	c->counts.rejected[FAULT_UNKNOWN] += c->in_flight->n_data;
	c->failed = true;
	publish_batch_refuse_all(c->in_flight, FAULT_UNKNOWN);
	return release(c);
}

static enum publisher_state
release(struct publisher *c)
{
	return publish_batch_release(c->in_flight, &c->out) < 0
		   ? PUBLISHER_NO_MEMORY
		   : PUBLISHER_WELL;
}

int
publisher_answers_expire(
    struct publisher *c, struct publish_batch *b, int64_t limit_ms)
{
	int n = publish_batch_expire(b, limit_ms, FAULT_UNAVAILABLE, &c->out);

	if (n < 0)
		return -1;
	c->counts.rejected[FAULT_UNAVAILABLE] += (uint64_t)n;
	c->failed |= n > 0;
	return 0;
}
