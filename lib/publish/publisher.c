#include "publish/publisher.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "record/control.h"

enum {
	REPEAT_MS = QUEUE_PUBLISHER_S / 2 * 1000,
	DOWN_MS = 500,   /* a shorter interruption is not worth a word */
	REFUSED_MS = 200 /* between two sendings of what was refused */
};

static bool is_refused(const struct publisher *c, enum queue_state state);
static const char *no_room(const struct publisher *c);
static enum publisher_state hear(struct publisher *c, enum queue_state state);
static bool is_waiting(
    struct publisher *c, enum queue_state state, int64_t now_ms);
static enum publisher_state replied(struct publisher *c);
static enum publisher_state introduced(struct publisher *c);
static enum publisher_state turn_away(struct publisher *c);
static enum publisher_state delivered(struct publisher *c);
static void refuse_reused(struct publisher *c, size_t i);
static enum publisher_state unknown(struct publisher *c, const char *why);
static enum publisher_state release(struct publisher *c);
static void new_id(struct publisher *c);
static enum publisher_state introduce(struct publisher *c);
static int publish(struct publisher *c, const struct queue_lines *lines);
static bool take_next(struct publisher *c);
static enum publisher_state give_up(struct publisher *c, int64_t now_ms);
static enum publisher_state expire(
    struct publisher *c, struct publish_batch *b, int64_t limit_ms);
static bool calling(const struct publisher *c);
static bool maybe_done(const struct publisher *c);

int
publisher_open(struct publisher *c, const struct publisher_settings *settings,
    const char **ret_why)
{
	*c = (struct publisher){
	    .set = *settings, .backoff = {.max_ms = REFUSED_MS}};
	c->flight = &c->boxes[0];
	c->filling = &c->boxes[1];
	c->queue = queue_open(settings->url, settings->queue, ret_why);
	if (c->queue == NULL)
		return -1;
	*ret_why = "out of memory";
	for (int i = 0; i < 2; i++)
		if (publish_batch_open(
			&c->boxes[i], settings->echo, settings->tagged) < 0)
			return -1;
	new_id(c);
	return 0;
}

void
publisher_close(struct publisher *c)
{
	queue_close(c->queue);
	for (int i = 0; i < 2; i++)
		publish_batch_close(&c->boxes[i]);
	buf_free(&c->out);
}

struct publish_batch *
publisher_box(const struct publisher *c)
{
	return c->filling;
}

bool
publisher_empty(const struct publisher *c)
{
	return c->state == FLIGHT_NONE && publish_batch_empty(c->filling);
}

size_t
publisher_count(const struct publisher *c, size_t *ret_maybe)
{
	*ret_maybe = maybe_done(c) ? c->flight->n_data : 0;
	return c->flight->n_data + c->filling->n_data;
}

const char *
publisher_why(const struct publisher *c)
{
	return c->why != NULL ? c->why : queue_status(c->queue)->why;
}

int64_t
publisher_wait(const struct publisher *c, struct pollfd *ret_pfd)
{
	int64_t due_ms = queue_wait(c->queue, ret_pfd);
	int64_t oldest_ms = publish_batch_oldest_ms(
	    c->state == FLIGHT_NONE ? c->filling : c->flight);

	if (c->set.wait_ms > 0 && oldest_ms < INT64_MAX &&
	    oldest_ms + c->set.wait_ms < due_ms)
		due_ms = oldest_ms + c->set.wait_ms;
	if (c->refused && queue_status(c->queue)->idle && !publisher_empty(c) &&
	    c->retry_ms < due_ms)
		due_ms = c->retry_ms;
	return due_ms;
}

/* -- what Redis says ------------------------------------------------------ */

enum publisher_state
publisher_step(struct publisher *c, short revents, int64_t now_ms)
{
	enum queue_state state = queue_step(c->queue, revents);
	enum publisher_state result;

	result = hear(c, state);
	if (is_refused(c, state))
		c->retry_ms = now_ms + backoff_next(&c->backoff);
	if (result == PUBLISHER_WELL)
		result = give_up(c, now_ms);
	if (result == PUBLISHER_WELL && is_waiting(c, state, now_ms))
		result = PUBLISHER_WAITING;
	return result;
}

/* Did a sending end that has done nothing and is to be repeated? */
static bool
is_refused(const struct publisher *c, enum queue_state state)
{
	return state == QUEUE_REFUSED ||
	       (state == QUEUE_DONE && c->state != FLIGHT_NONE &&
		   c->no_room != NULL);
}

/* Why the batch was not pushed, if that passes; else NULL. */
static const char *
no_room(const struct publisher *c)
{
	switch (queue_published(c->queue)->outcome) {
	case QUEUE_HIGH: return "as much is waiting as may";
	case QUEUE_OOM: return "out of memory (OOM)";
	case QUEUE_PUSHED:
	case QUEUE_BEFORE:
	case QUEUE_GAP: break;
	}
	return NULL;
}

/* The one place where a sending ends. */
static enum publisher_state
hear(struct publisher *c, enum queue_state state)
{
	bool maybe = maybe_done(c);

	switch (state) {
	case QUEUE_DONE:
		c->no_room = c->state == FLIGHT_GREETING ? NULL : no_room(c);
		return c->state == FLIGHT_GREETING ? introduced(c) : replied(c);
	case QUEUE_REFUSED:
		/* This sending did nothing; one before it may have. */
		c->state = c->state == FLIGHT_REPEATING ? FLIGHT_MAYBE
							: FLIGHT_WAITING;
		break;
	case QUEUE_LOST:
		if (c->state == FLIGHT_GREETING)
			new_id(c);
		c->state = maybe ? FLIGHT_MAYBE : FLIGHT_WAITING;
		break;
	case QUEUE_FAULT: return PUBLISHER_FAULT;
	case QUEUE_DOWN:
	case QUEUE_IDLE:
	case QUEUE_CALLING: break;
	}
	return PUBLISHER_WELL;
}

static bool
is_waiting(struct publisher *c, enum queue_state state, int64_t now_ms)
{
	bool down = state == QUEUE_DOWN || state == QUEUE_LOST;

	if (!down)
		c->down_ms = 0;
	else if (c->down_ms == 0)
		c->down_ms = now_ms;
	if (down)
		c->why = NULL;
	if (state == QUEUE_REFUSED || state == QUEUE_DONE) {
		c->refused = is_refused(c, state);
		c->why = state == QUEUE_DONE ? c->no_room : NULL;
		c->full = c->why != NULL;
	}
	return c->refused || c->full ||
	       (down && now_ms >= c->down_ms + DOWN_MS);
}

static enum publisher_state
introduced(struct publisher *c)
{
	FAILPOINT("publish-introduced");
	c->introduced = true;
	c->state = FLIGHT_WAITING;
	if (queue_introduced(c->queue)->is_new)
		return PUBLISHER_WELL;
	c->why = "a new publisher is known already";
	return PUBLISHER_BROKEN;
}

static enum publisher_state
replied(struct publisher *c)
{
	FAILPOINT("publish-replied");
	if (c->no_room == NULL)
		backoff_reset(&c->backoff);
	switch (queue_published(c->queue)->outcome) {
	case QUEUE_PUSHED:
	case QUEUE_BEFORE: return delivered(c);
	case QUEUE_HIGH:
	case QUEUE_OOM: return turn_away(c);
	case QUEUE_GAP: break;
	}
	if (c->state == FLIGHT_REPEATING)
		return unknown(c, "the record of what was published is gone");
	new_id(c);
	c->state = FLIGHT_WAITING;
	return PUBLISHER_WELL;
}

/*
 * There is no room.  A sending before this one may yet be done, when there is
 * room; without echo nobody waits for an answer.
 */
static enum publisher_state
turn_away(struct publisher *c)
{
	const struct queue_published *published = queue_published(c->queue);
	size_t n = c->flight->n_data;

	if (c->state == FLIGHT_REPEATING || !c->set.echo) {
		c->state = c->state == FLIGHT_REPEATING ? FLIGHT_MAYBE
							: FLIGHT_WAITING;
		return PUBLISHER_WELL;
	}
	for (size_t i = 0; i < n; i++) {
		if (queue_published_reused(published, i)) {
			refuse_reused(c, i);
		} else if (!queue_published_known(published, i)) {
			publish_batch_refuse(c->flight, i, FAULT_UNAVAILABLE);
			c->set.rejected[FAULT_UNAVAILABLE].value++;
			c->failed = true;
		}
	}
	return release(c);
}

static enum publisher_state
delivered(struct publisher *c)
{
	const struct queue_published *published = queue_published(c->queue);
	size_t n = c->flight->n_data, reused = 0;

	for (size_t i = 0; c->set.tagged && i < n; i++) {
		if (!queue_published_reused(published, i))
			continue;
		reused++;
		refuse_reused(c, i);
	}
	c->seq++;
	c->set.published->value += (double)(n - reused);
	c->set.batches->value++;
	metrics_observe(
	    c->set.seconds, (double)(clock_us() - c->sent_us) / 1e6);
	return release(c);
}

static void
refuse_reused(struct publisher *c, size_t i)
{
	c->set.rejected[FAULT_IDEMPOTENCY_KEY_REUSED].value++;
	c->set.reused(
	    publish_batch_refuse(c->flight, i, FAULT_IDEMPOTENCY_KEY_REUSED));
}

/* Redis may have the batch or get it yet, so nobody sends it again. */
static enum publisher_state
unknown(struct publisher *c, const char *why)
{
	if (!c->set.echo) {
		c->why = why;
		return PUBLISHER_GAVE_UP;
	}
	c->set.rejected[FAULT_UNKNOWN].value += (double)c->flight->n_data;
	c->failed = true;
	publish_batch_refuse_all(c->flight, FAULT_UNKNOWN);
	new_id(c);
	return release(c);
}

static enum publisher_state
release(struct publisher *c)
{
	c->state = FLIGHT_NONE;
	return publish_batch_release(c->flight, &c->out) < 0
		   ? PUBLISHER_NO_MEMORY
		   : PUBLISHER_WELL;
}

static void
new_id(struct publisher *c)
{
	id_make(&c->id);
	c->introduced = false;
	c->seq = 0;
	c->run = queue_status(c->queue)->run;
}

/* -- sending -------------------------------------------------------------- */

enum publisher_state
publisher_send(struct publisher *c, int64_t now_ms)
{
	const struct queue_lines *lines;

	/* Error lines with nothing before them wait for nothing. */
	if (c->set.echo && c->state == FLIGHT_NONE &&
	    expire(c, c->filling, INT64_MIN) != PUBLISHER_WELL)
		return PUBLISHER_NO_MEMORY;
	if (!queue_status(c->queue)->idle || now_ms < c->retry_ms ||
	    !take_next(c))
		return PUBLISHER_WELL;
	if (c->state == FLIGHT_WAITING) {
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
		c->why = "no answer for half a day";
		return PUBLISHER_GAVE_UP;
	}
	lines = publish_batch_encode(c->flight);
	FAILPOINT("publish-frozen");
	if (lines == NULL ||
	    FAILPOINT_AFTER("publish-sent", publish(c, lines)) < 0)
		return PUBLISHER_NO_MEMORY;
	c->state = c->state == FLIGHT_MAYBE ? FLIGHT_REPEATING : FLIGHT_CALLING;
	return PUBLISHER_WELL;
}

/*
 * Before its first batch, and not with it: a record that is missing when a
 * batch is repeated would mean that it was not pushed, or that it was, and
 * the clock of Redis was set forward beyond the life of the record.
 */
static enum publisher_state
introduce(struct publisher *c)
{
	if (FAILPOINT_AFTER("publish-introduce-sent",
		queue_introduce(c->queue, &c->id)) < 0)
		return PUBLISHER_NO_MEMORY;
	c->state = FLIGHT_GREETING;
	return PUBLISHER_WELL;
}

static int
publish(struct publisher *c, const struct queue_lines *lines)
{
	struct queue_terms terms = {
	    .window_s = c->set.window_s, .high_water = c->set.high_water};

	if (terms.high_water == 0)
		terms.high_water = queue_status(c->queue)->maxmemory / 4 * 3 /
				   PUBLISHER_MESSAGE_BYTES;
	return queue_publish(c->queue, &c->id, c->seq + 1, lines, &terms);
}

/* True if there is something in flight; if need be, what was filling. */
static bool
take_next(struct publisher *c)
{
	struct publish_batch *next = c->filling;

	if (c->state != FLIGHT_NONE)
		return true;
	if (next->n_data == 0)
		return false;
	c->filling = c->flight;
	c->flight = next;
	c->state = FLIGHT_WAITING;
	return true;
}

/* -- giving up ------------------------------------------------------------ */

static enum publisher_state
give_up(struct publisher *c, int64_t now_ms)
{
	int64_t limit_ms =
	    c->set.wait_ms > 0 ? now_ms - c->set.wait_ms : INT64_MIN;
	bool over = publish_batch_oldest_ms(c->flight) <= limit_ms;
	enum publisher_state result = PUBLISHER_WELL;

	if (!c->set.echo) {
		over |= publish_batch_oldest_ms(c->filling) <= limit_ms;
		if (over && calling(c))
			c->why = "no answer";
		return over ? PUBLISHER_GAVE_UP : PUBLISHER_WELL;
	}
	if (over) {
		bool maybe = maybe_done(c);

		/* What was not sent to its end must not be. */
		if (calling(c))
			queue_hang_up(c->queue);
		if (c->state == FLIGHT_GREETING)
			new_id(c);
		result =
		    maybe ? unknown(c, NULL) : expire(c, c->flight, limit_ms);
	}
	if (result == PUBLISHER_WELL && c->state == FLIGHT_NONE)
		result = expire(c, c->filling, limit_ms);
	return result;
}

static enum publisher_state
expire(struct publisher *c, struct publish_batch *b, int64_t limit_ms)
{
	int n = publish_batch_expire(b, limit_ms, FAULT_UNAVAILABLE, &c->out);

	if (n < 0)
		return PUBLISHER_NO_MEMORY;
	c->set.rejected[FAULT_UNAVAILABLE].value += n;
	c->failed |= n > 0;
	if (b == c->flight)
		c->state =
		    publish_batch_empty(b) ? FLIGHT_NONE : FLIGHT_WAITING;
	return PUBLISHER_WELL;
}

static bool
calling(const struct publisher *c)
{
	return c->state == FLIGHT_GREETING || c->state == FLIGHT_CALLING ||
	       c->state == FLIGHT_REPEATING;
}

static bool
maybe_done(const struct publisher *c)
{
	return c->state == FLIGHT_MAYBE || c->state == FLIGHT_REPEATING ||
	       (c->state == FLIGHT_CALLING && queue_status(c->queue)->sent);
}
