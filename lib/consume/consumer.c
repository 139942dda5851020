/*
 * Makes the calls of a consumer, in the order of their precedence.
 *
 * In: batches from Redis.  Out: the stream.  Redis owns every payload all
 * the time, here are copies only.  A call without a reply is simply due
 * again, under the same name, except a registration: that has a new id
 * each time.  Killed at any line: what was taken waits under its name for
 * the next look of another consumer.
 */
#include "consume/consumer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/num.h"
#include "consume/consumer_call.h"
#include "queue/liveness.h"

enum {
	RENEW_MS = QUEUE_OWNER_MS / 4,
	LOOK_MS = 100,  /* from an empty look at ready to the next, at most */
	JITTER_MS = 20, /* less than that by up to this */
	ORPHANS_MS = LIVENESS_APART_MS, /* from the answer to a look */
	SPARED_MS = 2 * ORPHANS_MS,     /* a look stands for calls until then */
	MEASURE_MS = 1000,
	HOLDERS_MS = 100,
	DOUBTFUL_MS = 6000 /* so long at most is life, or an adoption,
			    * waited for, whatever --wait says */
};

static void note_trouble(struct consumer *c, enum queue_state state);
static int finish_call(struct consumer *c);
static void end_trouble(struct consumer *c, enum consumer_call answered);
static int finish_register(struct consumer *c);
static int finish_renew(struct consumer *c);
static void renew_later(struct consumer *c, int64_t ms);
static int finish_adopt(struct consumer *c);
static void spare(struct consumer *c, const struct queue_adopted *adopted);
static int finish_holders(struct consumer *c);
static int finish_read(struct consumer *c);
static int finish_take(struct consumer *c);
static void watch_mark(struct consumer *c, bool marked);
static int finish_batch(struct consumer *c, const struct queue_batch *b);
static int finish_measure(struct consumer *c);
static void lose_id(struct consumer *c);
static void forget_orphan(struct consumer *c, const struct id *consumer);
static void doubt_all(struct consumer *c);
static int leave(struct consumer *c, enum queue_state state);
static bool may_leave(const struct consumer *c);
static bool is_done(const struct consumer *c);
static int begin_call(struct consumer *c);

void
consumer_init(struct consumer *c)
{
	*c = (struct consumer){
	    .call = CONSUMER_NO_CALL, .trouble_ms = clock_ms()};
}

void
consumer_free(struct consumer *c)
{
	adopted_clear(&c->orphans);
	holders_free(&c->holders);
	stream_free(&c->stream);
}

int64_t
consumer_wait(const struct consumer *c, struct pollfd *ret_pfd)
{
	int64_t next_ms = queue_wait(c->queue, ret_pfd);

	if (c->gauges != NULL)
		next_ms = num_min(queue_gauges_due(c->gauges), next_ms);
	if (!queue_status(c->queue)->idle)
		return next_ms;
	for (int call = 0; call < CONSUMER_NO_CALL; call++) {
		int64_t due_ms = consumer_call_due(c, (enum consumer_call)call);

		next_ms = num_min(due_ms, next_ms);
	}
	return next_ms;
}

int
consumer_step(struct consumer *c, short revents, enum queue_state *ret_state)
{
	enum queue_state state = queue_step(c->queue, revents);

	if (state == QUEUE_DONE) {
		if (finish_call(c) < 0)
			return -1;
	} else if (state != QUEUE_IDLE && state != QUEUE_CALLING) {
		note_trouble(c, state);
	}
	*ret_state = state;
	if (c->gauges != NULL && queue_gauges_want(c->gauges, clock_ms())) {
		c->measure = true;
		c->due_ms[CONSUMER_MEASURE] = 0;
	}
	if (leave(c, state) < 0)
		return -1;
	return queue_status(c->queue)->idle ? begin_call(c) : 0;
}

static void
note_trouble(struct consumer *c, enum queue_state state)
{
	int64_t now_ms = clock_ms();

	if (c->trouble_ms == 0)
		c->trouble_ms = now_ms;
	if (c->call != CONSUMER_NO_CALL)
		c->failed |= 1U << c->call;
	if ((state == QUEUE_REFUSED || queue_at_limit(c->queue)) &&
	    c->call != CONSUMER_NO_CALL)
		c->due_ms[c->call] = now_ms + backoff_next(&c->refused);
	c->call = CONSUMER_NO_CALL;
}

static int
finish_call(struct consumer *c)
{
	enum consumer_call call = c->call;

	c->call = CONSUMER_NO_CALL;
	end_trouble(c, call);
	switch (call) {
	case CONSUMER_REGISTER: return finish_register(c);
	case CONSUMER_RENEW: return finish_renew(c);
	case CONSUMER_ADOPT: return finish_adopt(c);
	case CONSUMER_HOLDERS: return finish_holders(c);
	case CONSUMER_READ: return finish_read(c);
	case CONSUMER_TAKE: return finish_take(c);
	case CONSUMER_MEASURE: return finish_measure(c);
	case CONSUMER_NO_CALL: break;
	}
	return 0;
}

/* Trouble is over when each call that failed was answered, or is of no use any
 * more: Redis may answer one kind of call and not another. */
static void
end_trouble(struct consumer *c, enum consumer_call answered)
{
	c->failed &= ~(1U << answered);
	for (int call = 0; call < CONSUMER_NO_CALL; call++)
		if (!consumer_call_is_of_use(c, (enum consumer_call)call))
			c->failed &= ~(1U << call);
	if (c->failed != 0)
		return;
	c->trouble_ms = 0;
	backoff_reset(&c->refused);
}

/* The stream begins, or goes on, under the id that was registered. */
static int
finish_register(struct consumer *c)
{
	FAILPOINT("consume-registered");
	c->phase = CONSUMER_TAKING;
	renew_later(c, RENEW_MS);
	c->due_ms[CONSUMER_TAKE] = c->due_ms[CONSUMER_ADOPT] = 0;
	doubt_all(c);
	if (c->moved)
		stream_compare(&c->stream, queue_registered(c->queue));
	c->moved = false;
	c->stream.shards = queue_registered(c->queue)->shards;
	return stream_begin(&c->stream, c->queue_name, &c->candidate,
	    queue_registered(c->queue)->at_ms);
}

static int
finish_renew(struct consumer *c)
{
	const struct queue_renewed *renewed = queue_renewed(c->queue);

	FAILPOINT("consume-renewed");
	renew_later(c, RENEW_MS);
	if (c->phase == CONSUMER_ENDING)
		c->ended = true;
	if (c->phase == CONSUMER_TAKING &&
	    queue_renewed_is(renewed, 0) == QUEUE_DISOWNED) {
		lose_id(c);
		return 0;
	}
	for (size_t i = 1; i < c->n_renewed; i++)
		if (queue_renewed_is(renewed, i) != QUEUE_OWNED ||
		    !adopted_renew(
			&c->orphans, &c->renewed[i], c->sent_ms, clock_ms()))
			forget_orphan(c, &c->renewed[i]);
	return 0;
}

/* The life of an owner key began when the call was sent, not when replicas had
 * it.  With a slow Redis another call has its turn in between. */
static void
renew_later(struct consumer *c, int64_t ms)
{
	int64_t now_ms = clock_ms();

	c->due_ms[CONSUMER_RENEW] = c->sent_ms + ms;
	if (c->due_ms[CONSUMER_RENEW] <= now_ms)
		c->due_ms[CONSUMER_RENEW] = now_ms + 1;
}

/* A reply that takes long may outlast the ownership of its consumer: batches
 * that were not read yet are to be adopted once more. */
static void
forget_orphan(struct consumer *c, const struct id *consumer)
{
	if (adopted_unread(&c->orphans))
		doubt_all(c);
	adopted_forget(&c->orphans, consumer);
}

/* With once: nothing is known any more of who else holds batches. */
static void
doubt_all(struct consumer *c)
{
	c->look_again = true;
	c->all_live = false;
	c->doubtful_ms = 0;
	holders_free(&c->holders);
	c->due_ms[CONSUMER_ADOPT] = c->due_ms[CONSUMER_HOLDERS] = 0;
}

static int
finish_adopt(struct consumer *c)
{
	const struct queue_adopted *adopted = queue_adopted(c->queue);
	uint64_t *seqs;

	c->look_again = adopted->n > 0 || adopted->more;
	c->flushed |= adopted->flushed;
	watch_mark(c, adopted->marked);
	spare(c, adopted);
	if (adopted->n > 0 && c->burst == 0)
		c->burst = adopted_share(adopted->candidates, adopted->live);
	c->burst -= num_min_size(c->burst, 1);
	if (c->burst == 0 || adopted->n == 0) {
		c->burst = 0;
		c->due_ms[CONSUMER_ADOPT] = clock_ms() + ORPHANS_MS;
	}
	if (adopted->n == 0)
		return 0;
	if (c->doubtful_ms != 0) /* it goes on */
		c->doubtful_ms = clock_ms();
	seqs = adopted_add(
	    &c->orphans, &adopted->consumer, adopted->n, c->sent_ms);
	if (seqs == NULL)
		return -1;
	for (size_t i = 0; i < adopted->n; i++)
		seqs[i] = queue_adopted_seq(adopted, i);
	c->due_ms[CONSUMER_HOLDERS] = 0;
	FAILPOINT("consume-adopted");
	return 0;
}

/*
 * A look renews a consumer that is idle, and tells whether there is something
 * to take: it waits for that.  Calls are made all the same when no look comes.
 */
static void
spare(struct consumer *c, const struct queue_adopted *adopted)
{
	if (!adopted->renewed || !adopted->marked ||
	    !consumer_call_is_spared(c))
		return;
	renew_later(c, SPARED_MS);
	if (!adopted->idle)
		c->due_ms[CONSUMER_TAKE] = c->empty_ms = 0;
	else
		c->due_ms[CONSUMER_TAKE] = clock_ms() + SPARED_MS;
}

static int
finish_holders(struct consumer *c)
{
	const struct queue_holders *found = queue_holders_found(c->queue);
	int64_t now_ms = clock_ms(), life_ms;
	struct id consumer;

	holders_begin(&c->holders);
	for (size_t i = 0; i < found->n; i++)
		if (queue_holder(found, i, &consumer, &life_ms) == 0 &&
		    holders_note(&c->holders, &consumer, life_ms, c->sent_ms,
			now_ms) < 0)
			return -1;
	holders_end(&c->holders);
	c->due_ms[CONSUMER_HOLDERS] = now_ms + HOLDERS_MS;
	c->all_live = holders_doubtful(&c->holders) == NULL;
	if (c->all_live || c->doubtful_ms == 0)
		c->doubtful_ms = c->all_live ? 0 : now_ms;
	else if (now_ms - c->doubtful_ms >= DOUBTFUL_MS)
		c->left_holder = c->all_live = true;
	return 0;
}

static int
finish_read(struct consumer *c)
{
	const struct queue_batch *b = queue_batch(c->queue);
	const struct id *consumer;
	uint64_t seq, bytes;

	if (!adopted_next(&c->orphans, &consumer, &seq) ||
	    b->outcome == QUEUE_MORE)
		return 0;
	FAILPOINT("consume-read");
	/* Empty: it was acknowledged meanwhile. */
	if (b->n > 0 && stream_add(&c->stream, b, consumer, &bytes) < 0)
		return -1;
	adopted_advance(&c->orphans);
	return 0;
}

static int
finish_take(struct consumer *c)
{
	const struct queue_batch *b = queue_batch(c->queue);
	int64_t now_ms = clock_ms();

	c->unsettled = b->outcome == QUEUE_MORE;
	c->unmarked = b->outcome == QUEUE_UNMARKED;
	/* Not in step with other consumers. */
	c->due_ms[CONSUMER_TAKE] =
	    now_ms + LOOK_MS - (int64_t)arc4random_uniform(JITTER_MS);
	if (b->outcome != QUEUE_EMPTY)
		c->empty_ms = 0;
	switch (b->outcome) {
	case QUEUE_TAKEN: return finish_batch(c, b);
	case QUEUE_MORE: c->due_ms[CONSUMER_TAKE] = now_ms; break;
	case QUEUE_EMPTY:
		c->left = 0;
		if (c->empty_ms == 0)
			c->empty_ms = now_ms;
		c->full_ms = c->held_ms = 0;
		stream_shrink(&c->stream);
		break;
	case QUEUE_UNMARKED:
		c->flushed = true;
		watch_mark(c, false);
		/* fall through */
	case QUEUE_FULL:
		if (c->held_ms == 0)
			c->held_ms = now_ms;
		if (c->once && c->full_ms == 0)
			c->full_ms = now_ms;
		break;
	case QUEUE_NOT_OWNER:
		c->due_ms[CONSUMER_RENEW] = c->due_ms[CONSUMER_TAKE] = now_ms;
		break;
	case QUEUE_GONE: lose_id(c); break;
	}
	return 0;
}

/* Without a mark incr-flush may be at another Redis now.  Others adopt what has
 * none, so that nothing is lost with this connection. */
static void
watch_mark(struct consumer *c, bool marked)
{
	uint64_t connection = queue_status(c->queue)->connections;

	if (mark_watch_look(&c->watch, marked, connection, clock_ms()))
		queue_move_on(c->queue);
}

static int
finish_batch(struct consumer *c, const struct queue_batch *b)
{
	uint64_t bytes;

	FAILPOINT("consume-taken");
	if (stream_add(&c->stream, b, NULL, &bytes) < 0)
		return -1;
	c->full_ms = c->held_ms = 0;
	c->left -= num_min_size(b->n, c->left);
	/* There is more where a full batch came from. */
	if (b->n >= c->batch_max || bytes > QUEUE_TAKE_BYTES / 2)
		c->due_ms[CONSUMER_TAKE] = 0;
	return 0;
}

static int
finish_measure(struct consumer *c)
{
	const struct queue_lengths *l = queue_lengths(c->queue);

	/* A take that is refused as full does not say that ready is empty; nor
	 * is what was taken delivered. */
	if (!c->measured || (l->ready == 0 && !c->unsettled))
		c->left = l->ready;
	if (c->full_ms != 0 && l->unacked != c->unacked)
		c->full_ms = clock_ms();
	c->unacked = l->unacked;
	if (c->measure)
		queue_gauges_show(c->gauges, l);
	c->measure = false;
	c->measured = true;
	c->due_ms[CONSUMER_MEASURE] = clock_ms() + MEASURE_MS;
	return 0;
}

/* The id is not registered any more, or was adopted.  Consumers that were
 * adopted under it lose their owner with its life, and are adopted again. */
static void
lose_id(struct consumer *c)
{
	c->phase = CONSUMER_UNREGISTERED;
	c->empty_ms = 0;
	c->strict = c->flushed;
	c->due_ms[CONSUMER_REGISTER] = 0;
	c->unsettled = false;
	adopted_clear(&c->orphans);
}

/*
 * Ends the stream, once Redis has been told that nobody goes by this process
 * any more: else the batches that incr-flush still reads from the pipe would
 * look like those of a dead consumer.  Without Redis it is ended all the same.
 */
static int
leave(struct consumer *c, enum queue_state state)
{
	bool calls = state == QUEUE_IDLE || state == QUEUE_CALLING ||
		     state == QUEUE_DONE;

	if (may_leave(c)) {
		c->due_ms[CONSUMER_RENEW] = 0;
		c->ended = c->phase == CONSUMER_UNREGISTERED;
		c->phase = CONSUMER_ENDING;
	}
	if (c->phase != CONSUMER_ENDING || (calls && !c->ended))
		return 0;
	c->phase = CONSUMER_LEAVING;
	return stream_end(&c->stream);
}

/* With a call under way a batch may be made that waits for its lines. */
static bool
may_leave(const struct consumer *c)
{
	return c->phase != CONSUMER_ENDING && c->phase != CONSUMER_LEAVING &&
	       c->call == CONSUMER_NO_CALL && (c->stop || is_done(c));
}

static bool
is_done(const struct consumer *c)
{
	return c->once && c->phase == CONSUMER_TAKING && c->measured &&
	       c->left == 0 && (!c->look_again || c->left_holder) &&
	       c->all_live && !adopted_unread(&c->orphans);
}

static int
begin_call(struct consumer *c)
{
	int64_t now_ms = clock_ms();

	/* Another Redis, or one that may have lost its last second. */
	if (c->phase == CONSUMER_TAKING &&
	    queue_status(c->queue)->run != c->run) {
		c->moved = true;
		lose_id(c);
	}
	for (int call = 0; call < CONSUMER_NO_CALL; call++)
		if (consumer_call_due(c, (enum consumer_call)call) <= now_ms) {
			c->call = (enum consumer_call)call;
			return consumer_call_send(c);
		}
	return 0;
}
