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
#include "base/reason.h"
#include "base/url.h"
#include "redis/dial.h"
#include "redis/handshake.h"
#include "redis/sending.h"
#include "redis/server_info.h"

enum phase {
	WAITING,   /* no connection before due_ms */
	DIALING,   /* a connection is being made; dial.c has the time limit */
	HANDSHAKE, /* the handshake was sent; due_ms is that of the dialing */
	READY,     /* no call under way */
	CALLING,   /* a call was begun: due_ms without a byte moved */
	RELOADING, /* the same call, but the scripts are loaded first */
	FAULTY     /* for ever */
};

/* A connection that lasted so long was one, also if no call was made. */
enum { LASTED_MS = 2000 };

struct session {
	const char *text; /* of the URL; @FILE may have another password */
	struct url_redis url;
	struct session_options options;
	enum phase phase;
	int64_t due_ms; /* when the phase ends; IO_FOREVER: not by time */
	struct backoff backoff; /* until a call has its reply */
	int64_t ready_ms;       /* when the handshake was done */
	struct dial *dial;
	struct redis *redis; /* NULL: no connection */

	struct buf handshake_request, call; /* as they are sent */
	struct iovec more; /* second half of the call, borrowed */
	struct sending sending;

	struct handshake handshake;
	bool looks;   /* INFO stands in front of the call, */
	bool looking; /* and its reply has not come yet */
	char run_id[HANDSHAKE_RUN_ID_MAX]; /* of the last connection */
	struct redis_reply *reply;
	struct once once; /* the handshake; a call without an error */
	struct session_status status;
};

static void enter(struct session *s, enum phase phase, int64_t due_ms);
static int name_place(struct session *s);
static void advance(struct session *s, short revents);
static void connected(struct session *s);
static int send_handshake(struct session *s, const struct url_redis *url);
static enum session_state exchange(struct session *s, short revents);
static int send_some(struct session *s);
static void restart_timer(struct session *s);
static enum session_state check_reply(
    struct session *s, struct redis_reply *reply);
static void finish_handshake(struct session *s);
static enum session_state replied(struct session *s, struct redis_reply *reply);
static enum session_state lose(struct session *s);
static enum session_state lose_or_fault(struct session *s);
static enum session_state fault(struct session *s, bool was_right);
static void disconnect(struct session *s);
static enum session_state state(const struct session *s);
static int start_call(struct session *s);
static int begin(struct session *s, const struct buf *more);
static void send_call(struct session *s);

struct session *
session_open(const char *url, const struct session_options *options,
    const char **ret_why)
{
	struct session *s = calloc(1, sizeof *s);

	*ret_why = LOG_NO_MEMORY;
	if (s == NULL)
		return NULL;
	s->options = *options;
	s->handshake.key = options->key;
	s->handshake.judge = options->judge;
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
	const char *key = s->options.key == NULL ? "" : s->options.key;

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
	if (s->phase == DIALING)
		return dial_wait(s->dial, ret_pfd);
	return s->due_ms;
}

/* Replies are received before the clock is looked at: a process that was
 * stopped for a while does not take that for a time-out of Redis. */
enum session_state
session_step(struct session *s, short revents)
{
	enum session_state now;

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
	enter(s, WAITING, clock_ms());
	reason_set(s->status.why, "hung up");
}

/* The only place where the phase changes. */
static void
enter(struct session *s, enum phase phase, int64_t due_ms)
{
	s->phase = phase;
	s->due_ms = due_ms;
	s->status.idle = phase == READY;
}

/* The state as it lasts.  A reply, a refusal or a loss is returned once, where
 * it happens. */
static enum session_state
state(const struct session *s)
{
	switch (s->phase) {
	case WAITING:
	case DIALING:
	case HANDSHAKE: break;
	case READY: return SESSION_IDLE;
	case CALLING:
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
		enter(s, DIALING, IO_FOREVER);
	}
	if (s->phase != DIALING)
		return;
	switch (dial_step(s->dial, revents, s->status.why)) {
	case DIAL_BUSY: break;
	case DIAL_DONE: connected(s); break;
	case DIAL_FAILED: lose(s); break;
	case DIAL_REFUSED: fault(s, s->once.was[ONCE_GREETING]); break;
	}
}

static void
connected(struct session *s)
{
	s->redis = dial_take(s->dial);
	enter(s, HANDSHAKE, dial_due(s->dial));
	if (send_handshake(s, &s->url) < 0)
		lose(s);
}

static int
send_handshake(struct session *s, const struct url_redis *url)
{
	if (handshake_write(&s->handshake, url, s->options.scripts,
		s->options.n_scripts, &s->handshake_request) < 0)
		return reason_set(s->status.why, LOG_NO_MEMORY);
	sending_start(&s->sending, &s->handshake_request, (struct iovec){0});
	return send_some(s);
}

static enum session_state
exchange(struct session *s, short revents)
{
	struct redis_reply *reply;
	bool moved;

	if (send_some(s) < 0)
		return lose(s);
	while (s->redis != NULL && (revents & (POLLIN | POLLHUP | POLLERR))) {
		if (redis_receive(s->redis, &reply, &moved, s->status.why) < 0)
			return lose_or_fault(s);
		if (moved)
			restart_timer(s);
		if (reply == NULL)
			break;
		if (s->looking) {
			s->looking = false;
			handshake_look(&s->handshake, reply, s->status.why);
			redis_reply_free(reply);
			continue;
		}
		if (s->phase == CALLING)
			return replied(s, reply);
		if (s->phase == READY) {
			redis_reply_free(reply);
			reason_set(s->status.why, "reply without a request");
			return lose(s);
		}
		if (check_reply(s, reply) == SESSION_LOST)
			return SESSION_LOST;
	}
	return state(s);
}

/* Sends what goes.  0, or -1 with why. */
static int
send_some(struct session *s)
{
	bool moved;
	int result = sending_step(&s->sending, s->redis, &moved, s->status.why);

	if (s->phase == CALLING && sending_handed(&s->sending))
		s->status.sent = true;
	if (result == 0 && moved)
		restart_timer(s);
	return result;
}

/* Bytes of a call moved: its time-out begins again. */
static void
restart_timer(struct session *s)
{
	if (s->phase == CALLING)
		s->due_ms = clock_ms() + s->options.reply_ms;
}

static enum session_state
check_reply(struct session *s, struct redis_reply *reply)
{
	enum server_fitness f =
	    handshake_check(&s->handshake, reply, s->status.why);

	redis_reply_free(reply);
	switch (f) {
	case UNFIT_FOR_EVER: return fault(s, s->once.was[ONCE_GREETING]);
	case UNFIT_NOW: return lose(s);
	case FIT:
		if (handshake_done(&s->handshake))
			finish_handshake(s);
		break;
	}
	return state(s);
}

/* The handshake was that of a new connection, or it loaded the scripts again
 * for the call under way. */
static void
finish_handshake(struct session *s)
{
	if (s->phase == HANDSHAKE) {
		enter(s, READY, IO_FOREVER);
		s->status.connections++;
		once_note(&s->once, ONCE_GREETING);
		if (strcmp(s->run_id, s->handshake.run_id) != 0)
			s->status.run++;
		memcpy(s->run_id, s->handshake.run_id, sizeof s->run_id);
		s->status.maxmemory = s->handshake.maxmemory;
		dial_fit(s->dial);
		s->ready_ms = clock_ms();
		return;
	}
	send_call(s);
}

static enum session_state
replied(struct session *s, struct redis_reply *reply)
{
	const char *error = redis_reply_error(reply);

	if (error == NULL) {
		s->reply = reply;
		once_note(&s->once, ONCE_WORK);
		enter(s, READY, IO_FOREVER);
		s->status.maxmemory = s->handshake.maxmemory;
		if (s->handshake.unfit)
			lose(s); /* the next one says how that is to be taken */
		return SESSION_REPLIED;
	}
	reason_set(s->status.why, "%s", error);
	redis_reply_free(reply);
	if (strncmp(s->status.why, "NOSCRIPT", 8) == 0) {
		s->status.sent = false;
		enter(s, RELOADING, clock_ms() + s->options.reply_ms);
		return send_handshake(s, NULL) < 0 ? lose(s) : SESSION_CALLING;
	}
	if (!server_info_error_is_proof(s->status.why))
		return lose(s);
	enter(s, READY, IO_FOREVER);
	switch (server_info_call_error(s->status.why)) {
	case FIT: break;
	case UNFIT_NOW: lose(s); break;
	case UNFIT_FOR_EVER: fault(s, s->once.was[ONCE_WORK]); break;
	}
	return SESSION_REFUSED;
}

/* The connection is gone: SESSION_LOST if there was a call.  If the server was
 * not fit, the next one is tried at once. */
static enum session_state
lose(struct session *s)
{
	bool calling = s->phase == CALLING || s->phase == RELOADING;
	bool more = s->phase == HANDSHAKE && dial_unfit(s->dial);

	if ((calling || s->phase == READY) &&
	    clock_ms() >= s->ready_ms + LASTED_MS)
		backoff_reset(&s->backoff);
	disconnect(s);
	enter(s, WAITING, clock_ms() + (more ? 0 : backoff_next(&s->backoff)));
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
	enter(s, FAULTY, IO_FOREVER);
	return SESSION_FAULT;
}

static void
disconnect(struct session *s)
{
	dial_cancel(s->dial);
	redis_close(s->redis);
	s->redis = NULL;
	s->looking = false;
	sending_start(&s->sending, NULL, (struct iovec){0});
}

/* -- calls --------------------------------------------------------------- */

int
session_eval(struct session *s, size_t script, size_t n_keys,
    const struct resp_args *args, const struct buf *more)
{
	const char *sha = s->handshake.shas[script];

	if (s->phase != READY || args->failed || start_call(s) < 0 ||
	    resp_encode_eval(&s->call, sha, n_keys, args) < 0)
		return -1;
	return begin(s, more);
}

int
session_command(struct session *s, const struct resp_args *args)
{
	if (s->phase != READY || args->failed || start_call(s) < 0 ||
	    resp_encode_command(&s->call, args) < 0)
		return -1;
	return begin(s, NULL);
}

/* Once a minute INFO goes in front of a call. */
static int
start_call(struct session *s)
{
	buf_clear(&s->call);
	s->looks = clock_ms() >= s->handshake.look_ms;
	return s->looks ? buf_addf(&s->call, "INFO\r\n") : 0;
}

static int
begin(struct session *s, const struct buf *more)
{
	redis_reply_free(s->reply);
	s->reply = NULL;
	s->more = (struct iovec){0};
	if (more != NULL)
		s->more = (struct iovec){buf_ptr(more), more->len};
	s->status.sent = false;
	send_call(s);
	return 0;
}

static void
send_call(struct session *s)
{
	enter(s, CALLING, clock_ms() + s->options.reply_ms);
	s->looking = s->looks;
	sending_start(&s->sending, &s->call, s->more);
	(void)send_some(s); /* a failure shows again in the next step */
}

const struct redis_reply *
session_reply(const struct session *s)
{
	return s->reply;
}
