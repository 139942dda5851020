/*
 * Connects, does the handshake, carries calls, connects again.
 *
 * In: a URL, scripts, calls already encoded.  Out: replies.  A call is sent
 * once per connection and never again on another: what a lost call means
 * is for the caller, who knows whether it was sent.  The one exception is
 * NOSCRIPT, by which Redis says that nothing was done.
 */
#include "redis/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/once.h"
#include "base/options.h"
#include "base/url.h"
#include "redis/cluster.h"
#include "redis/dial.h"
#include "redis/handshake.h"
#include "redis/replicas.h"
#include "redis/sending.h"
#include "redis/server_info.h"
#include "redis/session_call.h"

enum {
	LASTED_MS = 2000, /* so long a connection was one, also without calls */
	MOVED_MAX = 2,    /* nodes followed at once, one after the other */
	HOLD_MIN_MS = 10,
	HOLD_MAX_MS = 100
};

static int name_place(struct session *s);
static void advance(struct session *s, short revents);
static int send_handshake(struct session *s, int failed);
static enum session_state exchange(struct session *s, short revents);
static enum session_state check_reply(
    struct session *s, struct redis_reply *reply);
static void go_on(struct session *s);
static void finish_handshake(struct session *s);
static enum session_state replied(struct session *s, struct redis_reply *reply);
static enum session_state confirmed(
    struct session *s, struct redis_reply *reply);
static void turned_away(
    struct session *s, enum cluster_error cluster, const struct url_host *to);
static void follow(struct session *s, const struct url_host *to);
static enum session_state lose(struct session *s);
static enum session_state lose_or_fault(struct session *s);
static enum session_state fault(struct session *s, bool was_right);
static void disconnect(struct session *s);
static enum session_state state(const struct session *s);

struct session *
session_open(const char *url, const struct session_options *options,
    const char **ret_why)
{
	struct session *s = calloc(1, sizeof *s);

	*ret_why = LOG_NO_MEMORY;
	if (s == NULL)
		return NULL;
	s->options = *options;
	s->hold = (struct backoff){HOLD_MIN_MS, HOLD_MAX_MS, 0};
	s->handshake.keys = options->keys;
	s->handshake.n_keys = options->n_keys;
	s->text = url;
	if (url_parse_redis(url, &s->url, ret_why) < 0)
		goto failed;
	s->dial = dial_open(&s->url, options->connect_ms, ret_why);
	if (s->dial == NULL)
		goto failed;
	if (name_place(s) < 0) {
		*ret_why = LOG_NO_MEMORY;
		goto failed;
	}
	once_look(&s->once);
	reason_set(s->status.why, "not connected yet");
	return s;
failed:
	dial_close(s->dial);
	buf_free(&s->once.place);
	free(s);
	return NULL;
}

static int
name_place(struct session *s)
{
	const char *key = s->options.n_keys == 0 ? "" : s->options.keys[0].name;

	return url_add_place(&s->url, &s->once.place) |
	       buf_addf(&s->once.place, " %s", key);
}

void
session_close(struct session *s)
{
	if (s == NULL)
		return;
	disconnect(s);
	dial_close(s->dial);
	redis_reply_free(s->reply);
	buf_free(&s->handshake_request);
	buf_free(&s->opening);
	buf_free(&s->call);
	buf_free(&s->once.place);
	free(s);
}

int64_t
session_wait(const struct session *s, struct pollfd *ret_pfd)
{
	*ret_pfd = (struct pollfd){.fd = -1};
	if (s->redis != NULL) {
		ret_pfd->fd = redis_fd(s->redis);
		ret_pfd->events = redis_events(s->redis);
		if (sending_unsent(&s->sending))
			ret_pfd->events |= POLLOUT;
	}
	return s->phase == DIALING ? dial_wait(s->dial, ret_pfd) : s->due_ms;
}

/* Replies are received before the clock is looked at: a process that was
 * stopped for a while does not take that for a time-out of Redis. */
enum session_state
session_step(struct session *s, short revents)
{
	enum session_state now;

	if (s->phase == HELD && clock_ms() >= s->due_ms)
		session_call_enter(s, READY, IO_FOREVER);
	if (s->redis != NULL) {
		now = revents == 0 ? state(s) : exchange(s, revents);
		if (now != state(s))
			return now;
	} else {
		advance(s, revents);
	}
	if (s->phase != WAITING && s->phase != DIALING &&
	    clock_ms() >= s->due_ms) {
		reason_set(s->status.why, "no answer in time");
		return lose(s);
	}
	return state(s);
}

const struct session_status *
session_status(const struct session *s)
{
	return &s->status;
}

void
session_hang_up(struct session *s)
{
	if (s->phase == FAULTY)
		return;
	disconnect(s);
	session_call_enter(s, WAITING, clock_ms() + backoff_next(&s->backoff));
	reason_set(s->status.why, "hung up");
}

void
session_move_on(struct session *s)
{
	session_hang_up(s);
	(void)dial_unfit(s->dial);
}

/* The state as it lasts.  A reply, a refusal or a loss is returned once, where
 * it happens. */
static enum session_state
state(const struct session *s)
{
	switch (s->phase) {
	case WAITING:
	case DIALING:
	case HANDSHAKE:
	case HELD: break;
	case READY: return SESSION_IDLE;
	case OPENING:
	case CALLING:
	case CONFIRMING:
	case RELOADING: return SESSION_CALLING;
	case FAULTY: return SESSION_FAULT;
	}
	return SESSION_DOWN;
}

static void
advance(struct session *s, short revents)
{
	if (s->phase == WAITING && clock_ms() >= s->due_ms) {
		/* @FILE may have another password now. */
		options_refresh(s->text);
		url_take_login(s->text, &s->url);
		dial_begin(s->dial);
		session_call_enter(s, DIALING, IO_FOREVER);
	}
	if (s->phase != DIALING)
		return;
	switch (dial_step(s->dial, revents, s->status.why)) {
	case DIAL_BUSY: break;
	case DIAL_DONE:
		s->redis = dial_take(s->dial);
		session_call_enter(s, HANDSHAKE, dial_due(s->dial));
		s->rest = false;
		if (send_handshake(s, handshake_write(&s->handshake, &s->url,
					  &s->handshake_request)) < 0)
			lose(s);
		break;
	case DIAL_FAILED: lose(s); break;
	case DIAL_REFUSED: fault(s, s->once.was[ONCE_GREETING]); break;
	}
}

/* Sends what was written of it, unless that failed. */
static int
send_handshake(struct session *s, int failed)
{
	if (failed < 0)
		return reason_set(s->status.why, LOG_NO_MEMORY);
	sending_start(&s->sending, &s->handshake_request);
	return session_call_step(s);
}

static enum session_state
exchange(struct session *s, short revents)
{
	struct redis_reply *reply;
	bool moved;

	if (session_call_step(s) < 0)
		return lose(s);
	while (s->redis != NULL && (revents & (POLLIN | POLLHUP | POLLERR))) {
		if (redis_receive(s->redis, &reply, &moved, s->status.why) < 0)
			return lose_or_fault(s);
		if (moved)
			session_call_moved(s);
		if (reply == NULL)
			break;
		if (s->handshake.n_looks > 0) {
			handshake_look(&s->handshake, reply, s->status.why);
			redis_reply_free(reply);
			continue;
		}
		if (session_call_goes_on(s, reply)) {
			redis_reply_free(reply);
			continue;
		}
		if (s->phase == OPENING || s->phase == CALLING)
			return replied(s, reply);
		if (s->phase == CONFIRMING)
			return confirmed(s, reply);
		if (s->phase == READY || s->phase == HELD) {
			redis_reply_free(reply);
			reason_set(s->status.why, "reply without a request");
			return lose(s);
		}
		if (check_reply(s, reply) == SESSION_LOST)
			return SESSION_LOST;
	}
	return state(s);
}

static enum session_state
check_reply(struct session *s, struct redis_reply *reply)
{
	bool nodes = handshake_next(&s->handshake) == HANDSHAKE_NODES;
	enum server_fitness f =
	    handshake_check(&s->handshake, reply, s->status.why);
	const char *error = redis_reply_error(reply);
	struct url_host to;
	bool moved = error != NULL && s->handshake.cluster &&
		     cluster_judge(error, &to) == CLUSTER_MOVED;

	if (f == FIT && nodes && dial_learn(s->dial, reply, s->status.why) < 0)
		f = UNFIT_NOW;
	redis_reply_free(reply);
	switch (f) {
	case UNFIT_FOR_EVER: return fault(s, s->once.was[ONCE_GREETING]);
	case UNFIT_NOW:
		if (!moved)
			return lose(s);
		follow(s, &to);
		break;
	case FIT:
		if (handshake_done(&s->handshake))
			go_on(s);
		break;
	}
	return state(s);
}

/* With what INFO has told the rest of the handshake can be written. */
static void
go_on(struct session *s)
{
	int failed;

	if (s->phase != HANDSHAKE || s->rest) {
		finish_handshake(s);
		return;
	}
	s->rest = true;
	s->status.cluster = s->handshake.cluster;
	if (s->url.sentinel && s->handshake.cluster) {
		reason_set(s->status.why,
		    "a node of a cluster, which has no sentinels");
		(void)fault(s, s->once.was[ONCE_GREETING]);
		return;
	}
	failed = handshake_write_rest(&s->handshake, s->options.scripts,
	    s->options.n_scripts, &s->handshake_request);
	if (send_handshake(s, failed) < 0)
		(void)lose(s);
	else if (handshake_done(&s->handshake))
		finish_handshake(s); /* there is no more to ask */
}

/* The handshake was that of a new connection, or it loaded the scripts again
 * for the call under way. */
static void
finish_handshake(struct session *s)
{
	if (s->phase == HANDSHAKE) {
		session_call_enter(s, READY, IO_FOREVER);
		s->status.following = false;
		s->status.connections++;
		once_note(&s->once, ONCE_GREETING);
		if (strcmp(s->run_id, s->handshake.run_id) != 0)
			s->status.run++;
		memcpy(s->run_id, s->handshake.run_id, sizeof s->run_id);
		s->status.maxmemory = s->handshake.maxmemory;
		s->status.server_expires = redis_expiry(s->redis, false);
		s->status.own_expires = redis_expiry(s->redis, true);
		dial_fit(s->dial);
		s->ready_ms = clock_ms();
		return;
	}
	session_call_send(s);
}

static enum session_state
replied(struct session *s, struct redis_reply *reply)
{
	const char *error = session_call_error(s, reply);
	enum cluster_error cluster = CLUSTER_OTHER;
	struct url_host to;

	if (error == NULL) {
		s->reply = reply;
		s->served = true;
		s->n_moved = 0;
		backoff_reset(&s->hold);
		if (!s->aside)
			once_note(&s->once, ONCE_WORK);
		session_call_enter(s, READY, IO_FOREVER);
		s->status.maxmemory = s->handshake.maxmemory;
		if (s->handshake.unfit)
			lose(s); /* the next one says how that is to be taken */
		return SESSION_REPLIED;
	}
	if (s->handshake.cluster)
		cluster = cluster_judge(error, &to);
	reason_set(s->status.why, "%s", error);
	redis_reply_free(reply);
	if (!session_call_did_nothing(s))
		return lose(s);
	if (cluster != CLUSTER_OTHER) {
		turned_away(s, cluster, &to);
		return SESSION_REFUSED;
	}
	if (strncmp(s->status.why, "NOSCRIPT", 8) == 0) {
		s->status.sent = false;
		session_call_enter(
		    s, RELOADING, clock_ms() + s->options.reply_ms);
		return send_handshake(
			   s, handshake_write_scripts(&s->handshake,
				  s->options.scripts, s->options.n_scripts,
				  &s->handshake_request)) < 0
			   ? lose(s)
			   : SESSION_CALLING;
	}
	session_call_enter(s, READY, IO_FOREVER);
	/* A primary without replicas may be an old one: who is, is asked. */
	if (s->url.sentinel && strncmp(s->status.why, "NOREPLICAS", 10) == 0)
		lose(s);
	switch (server_info_call_error(s->status.why)) {
	case FIT: break;
	case UNFIT_NOW: lose(s); break;
	case UNFIT_FOR_EVER:
		if (!s->aside)
			fault(s, s->once.was[ONCE_WORK]);
		break;
	}
	return SESSION_REFUSED;
}

/* Whether enough replicas have what the call wrote. */
static enum session_state
confirmed(struct session *s, struct redis_reply *reply)
{
	enum replicas_answer answer =
	    replicas_judge(&s->replicas, redis_reply_error(reply),
		redis_reply_int(reply, -1), clock_us(), s->status.why);

	redis_reply_free(reply);
	s->status.waits++;
	s->status.waited_us = clock_us() - s->replicas.asked_us;
	if (answer == REPLICAS_LOST) {
		s->replicas.short_ms = 0;
		return lose(s);
	}
	session_call_enter(s, READY, IO_FOREVER);
	return answer == REPLICAS_HAVE_IT ? SESSION_REPLIED : SESSION_LOST;
}

/* A node of a cluster has not done the call. */
static void
turned_away(
    struct session *s, enum cluster_error cluster, const struct url_host *to)
{
	if (cluster == CLUSTER_MOVED)
		follow(s, to);
	else
		session_call_enter(
		    s, HELD, clock_ms() + backoff_next(&s->hold));
}

/* Another node has the slot: it is next, at once, unless nodes go on to name
 * one another. */
static void
follow(struct session *s, const struct url_host *to)
{
	int64_t wait_ms =
	    ++s->n_moved > MOVED_MAX ? backoff_next(&s->backoff) : 0;

	if (dial_follow(s->dial, to, s->status.why) < 0) {
		(void)lose(s);
		return;
	}
	disconnect(s);
	session_call_enter(s, WAITING, clock_ms() + wait_ms);
	s->status.following = wait_ms == 0;
}

/* The connection is gone: SESSION_LOST if there was a call.  If the server was
 * not fit, the next one is tried at once. */
static enum session_state
lose(struct session *s)
{
	bool calling = state(s) == SESSION_CALLING;
	bool more = s->phase == HANDSHAKE && dial_unfit(s->dial);

	if ((calling || s->phase == READY) &&
	    clock_ms() >= s->ready_ms + LASTED_MS)
		backoff_reset(&s->backoff);
	disconnect(s);
	session_call_enter(
	    s, WAITING, clock_ms() + (more ? 0 : backoff_next(&s->backoff)));
	return calling ? SESSION_LOST : SESSION_DOWN;
}

/* What TLS 1.3 thinks of our certificate comes with the first reply. */
static enum session_state
lose_or_fault(struct session *s)
{
	if (s->phase != HANDSHAKE || !redis_refused(s->redis))
		return lose(s);
	return fault(s, s->once.was[ONCE_GREETING]);
}

/* What is configured wrong, and explained, may pass if it was right before:
 * somebody has changed it, and may change it back. */
static enum session_state
fault(struct session *s, bool was_right)
{
	if (was_right)
		return lose(s);
	disconnect(s);
	session_call_enter(s, FAULTY, IO_FOREVER);
	return SESSION_FAULT;
}

static void
disconnect(struct session *s)
{
	dial_cancel(s->dial);
	redis_close(s->redis);
	s->redis = NULL;
	s->handshake.n_looks = 0;
	s->served = false;
	s->status.following = false;
	sending_start(&s->sending, NULL);
}
