/* Which calls a consumer may make, and sends one. */
#include "consume/consumer_call.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"

enum {
	UNWRITTEN_MAX = 1 << 20, /* bytes; more: no next batch */
	IDLE_MS = 1000           /* of takes that find nothing */
};

static int send_renew(struct consumer *c);

int64_t
consumer_call_due(const struct consumer *c, enum consumer_call call)
{
	return consumer_call_is_of_use(c, call) ? c->due_ms[call] : IO_FOREVER;
}

bool
consumer_call_is_of_use(const struct consumer *c, enum consumer_call call)
{
	bool taking = c->phase == CONSUMER_TAKING && !c->stop;
	bool room = c->stream.out.len < UNWRITTEN_MAX;

	switch (call) {
	case CONSUMER_REGISTER:
		return c->phase == CONSUMER_UNREGISTERED && !c->stop;
	case CONSUMER_RENEW:
		return c->phase != CONSUMER_UNREGISTERED &&
		       stream_begun(&c->stream);
	case CONSUMER_ADOPT: return taking && c->orphans.n < ADOPTED_MAX;
	case CONSUMER_HOLDERS: return taking && c->once && !c->all_live;
	case CONSUMER_READ:
		return taking && room && adopted_unread(&c->orphans);
	case CONSUMER_TAKE: return taking && room && (!c->once || c->left > 0);
	case CONSUMER_MEASURE:
		return taking &&
		       (c->measure ||
			   (c->once && (!c->measured || c->full_ms != 0)));
	case CONSUMER_NO_CALL: break;
	}
	return false;
}

/* A call that had no answer has to be repeated: a batch may be its.  Replicas
 * confirm no look, and adopted ones are renewed as well. */
bool
consumer_call_is_spared(const struct consumer *c)
{
	return c->empty_ms != 0 && clock_ms() - c->empty_ms >= IDLE_MS &&
	       !c->once && !c->unsettled && c->failed == 0 &&
	       c->orphans.n == 0 && !queue_confirms(c->queue);
}

int
consumer_call_send(struct consumer *c)
{
	const struct id *own = &c->stream.last.consumer, *orphan;
	uint64_t seq, n = c->batch_max;

	c->sent_ms = clock_ms();
	switch (c->call) {
	case CONSUMER_REGISTER:
		id_make(&c->candidate);
		c->run = queue_status(c->queue)->run;
		return FAILPOINT_AFTER("consume-register-sent",
		    queue_register(c->queue, &c->candidate, own, c->own_keys));
	case CONSUMER_RENEW: return send_renew(c);
	case CONSUMER_ADOPT:
		return queue_adopt(
		    c->queue, own, c->strict, consumer_call_is_spared(c));
	case CONSUMER_HOLDERS: return queue_holders(c->queue, own);
	case CONSUMER_READ:
		if (!adopted_next(&c->orphans, &orphan, &seq))
			break;
		return FAILPOINT_AFTER(
		    "consume-read-sent", queue_read(c->queue, orphan, seq));
	case CONSUMER_TAKE:
		if (c->once && c->left < n)
			n = c->left;
		c->unsettled = true;
		return FAILPOINT_AFTER("consume-take-sent",
		    queue_take(
			c->queue, own, c->stream.last.seq + 1, n, c->strict));
	case CONSUMER_MEASURE: return queue_measure(c->queue);
	case CONSUMER_NO_CALL: break;
	}
	return 0;
}

/* An adopted consumer is renewed until its last batch is acknowledged. */
static int
send_renew(struct consumer *c)
{
	c->renewed[0] = c->stream.last.consumer;
	for (size_t i = 0; i < c->orphans.n; i++)
		c->renewed[1 + i] = c->orphans.list[i].consumer;
	c->n_renewed = 1 + c->orphans.n;
	return FAILPOINT_AFTER("consume-renew-sent",
	    queue_renew(c->queue, &c->renewed[0], c->renewed, c->n_renewed,
		c->phase == CONSUMER_TAKING ? QUEUE_RENEW_KEEP
					    : QUEUE_RENEW_END));
}
