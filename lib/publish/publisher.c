/*
 * Sends batches to the queue, each once.
 *
 * In: lines, what Redis answers, the clock.  Out: calls of the queue, answers.
 * What an event makes of the batch in flight is a table in batch_state.c.
 * The caller owns a line until Redis has answered for its batch; killed at
 * any line, at most one batch without an answer may be in Redis too.
 */
#include "publish/publisher.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "base/outage.h"
#include "base/reason.h"
#include "publish/publisher_answers.h"
#include "publish/publisher_introduce.h"
#include "publish/publisher_measure.h"

enum {
	REPEAT_MS = QUEUE_PUBLISHER_S / 2 * 1000,
	RETRY_MS = 200, /* at most, between two sendings of what was refused */
	ANSWER_MS = 300 /* for the answer to one of them, beyond --wait */
};

static void note_outage(
    struct publisher *c, enum queue_state state, int64_t now_ms);
static enum wait_limit_how how(const struct publisher *c, int64_t now_ms);
static enum publisher_state finish_call(
    struct publisher *c, enum queue_state state);
static bool is_to_retry(const struct publisher *c);
static bool is_waiting(
    struct publisher *c, enum queue_state state, int64_t now_ms);
static enum publisher_state introduced(struct publisher *c);
static enum publisher_state replied(struct publisher *c);
static enum batch_event here_or_elsewhere(
    const struct publisher *c, enum batch_event here);
static enum publisher_state turned_away(
    struct publisher *c, enum queue_publish_outcome outcome);
static enum publisher_state apply(struct publisher *c, enum batch_event event);
static void new_id(struct publisher *c);
static void new_name(struct publisher *c);
static bool take_next(struct publisher *c);
static enum publisher_state introduce(struct publisher *c);
static enum publisher_state publish(struct publisher *c);
static enum publisher_state give_up(struct publisher *c, int64_t now_ms);
static int64_t answer_ms(const struct publisher *c);
static bool is_over(
    struct publisher *c, const struct publish_batch *b, int64_t now_ms);
static void hang_up(struct publisher *c);
static int expire_waiting(struct publisher *c, int64_t limit_ms);
static enum publisher_state expire_in_flight(struct publisher *c);
static bool in_doubt(const struct publisher *c);

int
publisher_open(struct publisher *c, const struct publisher_settings *settings,
    const char **ret_why)
{
	*c = (struct publisher){.set = *settings,
	    .limit = {.wait_ms = settings->wait_ms},
	    .backoff = {.max_ms = RETRY_MS}};
	c->queue = queue_open(settings->url, settings->queue, ret_why);
	if (c->queue == NULL)
		return -1;
	queue_replicate(c->queue, settings->replicas);
	*ret_why = LOG_NO_MEMORY;
	/* If the queue turns out to have shards, lines go to these. */
	if (batch_list_open(&c->waiting, settings->echo, settings->tagged,
		settings->echo || settings->shards == 0,
		/* By so many it may exceed the mark. */
		settings->high_water > 0 ? PUBLISH_BATCH_MARKED
					 : PUBLISH_BATCH_LINES) < 0)
		return -1;
	c->in_flight = batch_list_make(&c->waiting);
	if (c->in_flight == NULL)
		return -1;
	new_id(c);
	return 0;
}

void
publisher_close(struct publisher *c)
{
	queue_close(c->queue);
	batch_list_close(&c->waiting);
	batch_list_discard(c->in_flight);
	buf_free(&c->out);
}

int64_t
publisher_wait(const struct publisher *c, struct pollfd *ret_pfd)
{
	int64_t due_ms = queue_wait(c->queue, ret_pfd);
	int64_t oldest_ms = publish_batch_oldest_ms(
	    c->state == BATCH_NONE ? batch_list_first(&c->waiting)
				   : c->in_flight);
	int64_t over_ms =
	    wait_limit_due(&c->limit, how(c, clock_ms()), oldest_ms);

	if (over_ms < answer_ms(c))
		over_ms = answer_ms(c);
	due_ms = num_min(due_ms, over_ms);
	if (c->set.gauges != NULL)
		due_ms = num_min(due_ms, queue_gauges_due(c->set.gauges));
	if (c->down_ms != 0 && clock_ms() < c->down_ms + OUTAGE_SAY_MS)
		due_ms = num_min(due_ms, c->down_ms + OUTAGE_SAY_MS);
	if (queue_status(c->queue)->idle && !publisher_empty(c) &&
	    (is_to_retry(c) || c->asked != queue_status(c->queue)->run))
		due_ms = num_min(due_ms, c->retry_ms);
	return due_ms;
}

/* -- what Redis answers --------------------------------------------------- */

enum publisher_state
publisher_step(struct publisher *c, short revents, int64_t now_ms)
{
	enum queue_state state =
	    publisher_measure_step(c, queue_step(c->queue, revents));
	enum publisher_state result;

	note_outage(c, state, now_ms);
	result = finish_call(c, state);
	if ((state == QUEUE_DONE || state == QUEUE_REFUSED) && is_to_retry(c) &&
	    !queue_status(c->queue)->following)
		c->retry_ms = now_ms + backoff_next(&c->backoff);
	if (result == PUBLISHER_WELL)
		result = give_up(c, now_ms);
	if (result == PUBLISHER_WELL && is_waiting(c, state, now_ms))
		result = PUBLISHER_WAITING;
	return result;
}

/* Redis may take connections and fail each call: one alone ends no outage, as
 * long as there is something to send, or the last call was refused. */
static void
note_outage(struct publisher *c, enum queue_state state, int64_t now_ms)
{
	switch (state) {
	case QUEUE_LOST:
	case QUEUE_REFUSED: wait_limit_fail(&c->limit); break;
	case QUEUE_DOWN: wait_limit_down(&c->limit, now_ms); break;
	case QUEUE_IDLE:
		if (publisher_empty(c) && !is_to_retry(c))
			wait_limit_end(&c->limit);
		break;
	case QUEUE_DONE: wait_limit_end(&c->limit); break;
	case QUEUE_CALLING:
	case QUEUE_FAULT: break;
	}
}

/* For whom an outage counts: not for what may be in Redis, nor for what is, or
 * can be, tried now: also at the node that another one has just named. */
static enum wait_limit_how
how(const struct publisher *c, int64_t now_ms)
{
	bool idle = queue_status(c->queue)->idle || c->measuring;

	if (batch_state_calling(c->state) || c->state == BATCH_UNCONFIRMED ||
	    queue_status(c->queue)->following ||
	    (idle && now_ms >= c->retry_ms))
		return WAIT_LIMIT_OWN;
	return idle ? WAIT_LIMIT_REFUSED : WAIT_LIMIT_OUT;
}

/* The one place where a call ends. */
static enum publisher_state
finish_call(struct publisher *c, enum queue_state state)
{
	switch (state) {
	case QUEUE_DONE:
		c->trouble = PUBLISHER_NO_TROUBLE;
		c->why[0] = '\0';
		return c->state == BATCH_INTRODUCING ? introduced(c)
						     : replied(c);
	case QUEUE_REFUSED:
		c->trouble = PUBLISHER_REFUSED;
		c->why[0] = '\0';
		return apply(c, BATCH_REFUSED);
	case QUEUE_LOST:
		return apply(c, in_doubt(c) ? BATCH_LOST : BATCH_LOST_UNSENT);
	case QUEUE_FAULT: c->why[0] = '\0'; return PUBLISHER_FAULT;
	case QUEUE_DOWN:
	case QUEUE_IDLE:
	case QUEUE_CALLING: break;
	}
	return PUBLISHER_WELL;
}

/* Did the last call do nothing, so that it is to be made again? */
static bool
is_to_retry(const struct publisher *c)
{
	return c->trouble == PUBLISHER_REFUSED ||
	       c->trouble == PUBLISHER_NO_ROOM;
}

/* An outage lasts until a call was answered: a server may take connections and
 * not answer calls.  One that nobody was told of is over without a call, too.
 */
static bool
is_waiting(struct publisher *c, enum queue_state state, int64_t now_ms)
{
	const char *why = queue_status(c->queue)->why;
	bool down = state == QUEUE_DOWN || state == QUEUE_LOST;

	if (down && c->down_ms == 0)
		c->down_ms = now_ms;
	if (down && why[0] != '\0')
		reason_set(c->why, "redis: %s", why);
	if (state == QUEUE_DONE || (state == QUEUE_IDLE && publisher_empty(c) &&
				       now_ms < c->down_ms + OUTAGE_SAY_MS))
		c->down_ms = 0;
	return c->trouble != PUBLISHER_NO_TROUBLE ||
	       (c->down_ms != 0 && now_ms >= c->down_ms + OUTAGE_SAY_MS);
}

static enum publisher_state
introduced(struct publisher *c)
{
	enum batch_event event;
	enum publisher_state result = publisher_introduce_end(c, &event);
	enum publisher_state applied = apply(c, event);

	return result == PUBLISHER_WELL ? applied : result;
}

static enum publisher_state
replied(struct publisher *c)
{
	const struct queue_published *p = queue_published(c->queue);

	FAILPOINT("publish-replied");
	redis_time_take(
	    &c->redis_time, queue_status(c->queue)->run, p->at_ms, clock_ms());
	switch (p->outcome) {
	case QUEUE_HIGH:
	case QUEUE_OOM: return turned_away(c, p->outcome);
	case QUEUE_LATE: return apply(c, here_or_elsewhere(c, BATCH_LATE));
	case QUEUE_OTHER: return apply(c, here_or_elsewhere(c, BATCH_OTHER));
	case QUEUE_GAP: return apply(c, BATCH_GAP);
	case QUEUE_PUSHED:
	case QUEUE_BEFORE: break;
	}
	backoff_reset(&c->backoff);
	c->before.pushed = p->pushed;
	c->before.at_ms = p->at_ms;
	c->before.run = queue_status(c->queue)->run;
	return apply(c, BATCH_PUSHED);
}

/* A Redis that took over, or was restarted, may lack what was counted: a batch
 * that is repeated there must not be pushed again. */
static enum batch_event
here_or_elsewhere(const struct publisher *c, enum batch_event here)
{
	return queue_status(c->queue)->run == c->run ? here
						     : BATCH_LATE_ELSEWHERE;
}

static enum publisher_state
turned_away(struct publisher *c, enum queue_publish_outcome outcome)
{
	uint64_t limit = publisher_high_water(c);
	enum publisher_state result = apply(c, BATCH_NO_ROOM);

	c->trouble = c->state == BATCH_NONE ? PUBLISHER_ANSWERED_NO_ROOM
					    : PUBLISHER_NO_ROOM;
	if (outcome == QUEUE_OOM)
		reason_set(c->why, "redis: out of memory (OOM)");
	else
		reason_set(c->why,
		    "queue %s: limit of %ju ready message%s reached (%s)",
		    c->set.queue, (uintmax_t)limit, limit == 1 ? "" : "s",
		    c->set.high_water > 0 ? "--high-water"
					  : "3/4 of maxmemory");
	return result;
}

/* Moves the batch in flight by what has happened. */
static enum publisher_state
apply(struct publisher *c, enum batch_event event)
{
	struct batch_step step =
	    batch_state_after(c->state, event, c->set.echo);

	if (step.new_id)
		new_id(c);
	c->state = step.next;
	switch (step.action) {
	case BATCH_KEEP: break;
	case BATCH_SETTLE: return publisher_answers_settle(c);
	case BATCH_TURN_AWAY: return publisher_answers_no_room(c);
	case BATCH_GIVE_UNKNOWN: return publisher_answers_unknown(c);
	case BATCH_EXPIRE: return expire_in_flight(c);
	case BATCH_GIVE_UP:
		reason_set(c->why, "redis: %s",
		    event == BATCH_LATE_ELSEWHERE
			? "restarted or replaced, and lacks the last batch"
			: "record of published batches is gone");
		return PUBLISHER_GAVE_UP;
	}
	return PUBLISHER_WELL;
}

static void
new_id(struct publisher *c)
{
	if (c->introduced) {
		queue_before_add(&c->before, &c->id, c->from);
		c->from = c->before.pushed;
	}
	id_make(&c->id);
	c->introduced = false;
	c->seq = 0;
	c->run = queue_status(c->queue)->run;
}

/* -- sending -------------------------------------------------------------- */

enum publisher_state
publisher_send(struct publisher *c, int64_t now_ms)
{
	/* Error lines with nothing before them wait for nothing. */
	if (c->set.echo && c->state == BATCH_NONE &&
	    expire_waiting(c, INT64_MIN) < 0)
		return PUBLISHER_NO_MEMORY;
	if (publisher_measure_begin(c, now_ms) ||
	    !queue_status(c->queue)->idle || now_ms < c->retry_ms ||
	    !take_next(c))
		return PUBLISHER_WELL;
	if (c->state == BATCH_UNSENT) {
		/* Another Redis may not know how far this id is. */
		if (queue_status(c->queue)->run != c->run)
			new_id(c);
		if (!c->introduced)
			return introduce(c);
		c->sent_ms = now_ms;
		c->sent_us = clock_us();
	}
	/* Once its key has expired nobody can tell. */
	if (now_ms - c->sent_ms > REPEAT_MS) {
		reason_set(c->why, "redis: no answer for half a day");
		return PUBLISHER_GAVE_UP;
	}
	return publish(c);
}

/* In every sending of the same lines, so that Redis can tell them from those
 * of a copy of this process. */
static void
new_name(struct publisher *c)
{
	arc4random_buf(&c->name, sizeof c->name);
}

/* True if there is a batch in flight; if need be, the one that was filling. */
static bool
take_next(struct publisher *c)
{
	if (c->state != BATCH_NONE)
		return true;
	if (batch_list_first(&c->waiting)->n_data == 0)
		return false;
	c->in_flight = batch_list_take(&c->waiting, c->in_flight);
	new_name(c);
	apply(c, BATCH_FILLED);
	return true;
}

static enum publisher_state
introduce(struct publisher *c)
{
	wait_limit_try(&c->limit, clock_ms());
	if (publisher_introduce_begin(c) < 0)
		return PUBLISHER_NO_MEMORY;
	return apply(c, BATCH_INTRODUCE);
}

static enum publisher_state
publish(struct publisher *c)
{
	const struct queue_lines *lines = publish_batch_encode(c->in_flight);
	struct queue_terms terms = {
	    /* A line may wait here before it is sent for the last time. */
	    .window_s =
		c->set.window_s + (uint64_t)(c->set.wait_ms + 999) / 1000,
	    .high_water = publisher_high_water(c),
	    /* Told no time, Redis is asked for it, and for what was done. */
	    .not_after_ms = redis_time_ahead(&c->redis_time,
		queue_status(c->queue)->run, clock_ms(), QUEUE_NOT_AFTER_S),
	    .name = c->name};

	wait_limit_try(&c->limit, clock_ms());
	FAILPOINT("publish-frozen");
	if (lines == NULL ||
	    FAILPOINT_AFTER("publish-sent",
		queue_publish(c->queue, &c->id, c->seq + 1, lines, &terms)) < 0)
		return PUBLISHER_NO_MEMORY;
	return apply(c, BATCH_SEND);
}

/* -- giving up ------------------------------------------------------------ */

static enum publisher_state
give_up(struct publisher *c, int64_t now_ms)
{
	enum publisher_state result = PUBLISHER_WELL;
	bool over = is_over(c, c->in_flight, now_ms);

	if (!c->set.echo) {
		over |= is_over(c, batch_list_first(&c->waiting), now_ms);
		if (over && batch_state_calling(c->state))
			reason_set(c->why, "redis: no answer");
		return over ? PUBLISHER_GAVE_UP : PUBLISHER_WELL;
	}
	if (over && now_ms >= answer_ms(c)) {
		hang_up(c);
		result = apply(c, BATCH_EXPIRED);
	}
	if (result == PUBLISHER_WELL && c->state == BATCH_NONE &&
	    is_over(c, batch_list_first(&c->waiting), now_ms) &&
	    expire_waiting(c, c->limit_ms) < 0)
		result = PUBLISHER_NO_MEMORY;
	return result;
}

/* What Redis refuses is tried until its time is over: the answer to the last
 * try is waited for, since without it the outcome would be unknown. */
static int64_t
answer_ms(const struct publisher *c)
{
	return c->trouble == PUBLISHER_REFUSED && batch_state_calling(c->state)
		   ? c->limit.call_ms + ANSWER_MS
		   : INT64_MIN;
}

/* Has the oldest line of b waited for long enough?  Sets the limit. */
static bool
is_over(struct publisher *c, const struct publish_batch *b, int64_t now_ms)
{
	int64_t oldest_ms = publish_batch_oldest_ms(b);

	c->limit_ms =
	    wait_limit_ms(&c->limit, how(c, now_ms), oldest_ms, now_ms);
	return oldest_ms <= c->limit_ms;
}

/* What was not sent to its end must not be. */
static void
hang_up(struct publisher *c)
{
	if (!batch_state_calling(c->state))
		return;
	wait_limit_fail(&c->limit);
	queue_hang_up(c->queue);
	apply(c, in_doubt(c) ? BATCH_LOST : BATCH_LOST_UNSENT);
}

/* Of the batches that wait. */
static int
expire_waiting(struct publisher *c, int64_t limit_ms)
{
	do {
		if (publisher_answers_expire(
			c, batch_list_first(&c->waiting), limit_ms) < 0)
			return -1;
	} while (publish_batch_empty(batch_list_first(&c->waiting)) &&
		 batch_list_drop(&c->waiting));
	return 0;
}

static enum publisher_state
expire_in_flight(struct publisher *c)
{
	if (publisher_answers_expire(c, c->in_flight, c->limit_ms) < 0)
		return PUBLISHER_NO_MEMORY;
	new_name(c);
	return publish_batch_empty(c->in_flight) ? apply(c, BATCH_EMPTIED)
						 : PUBLISHER_WELL;
}

static bool
in_doubt(const struct publisher *c)
{
	return batch_state_in_doubt(c->state, queue_status(c->queue)->sent);
}
