/* Begins calls, and sends them: EVALSHA, a command, WAIT behind one. */
#include "redis/session_call.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/num.h"
#include "redis/server_info.h"

void
session_call_enter(struct session *s, enum phase phase, int64_t due_ms)
{
	s->phase = phase;
	s->due_ms = due_ms;
	s->status.idle = phase == READY;
	if (s->redis != NULL)
		redis_bound(s->redis, phase == CALLING && s->large);
}

int
session_call_step(struct session *s)
{
	bool moved;
	int result = sending_step(&s->sending, s->redis, &moved, s->status.why);

	if (s->phase == CALLING && sending_handed(&s->sending))
		s->status.sent = true;
	if (result == 0 && moved)
		session_call_moved(s);
	return result;
}

void
session_call_moved(struct session *s)
{
	int64_t bytes;

	if (s->phase != CALLING)
		return;
	bytes = (int64_t)(s->sending.done + redis_received(s->redis));
	s->due_ms = num_min(clock_ms(), s->begun_ms + bytes / SESSION_SLOWEST) +
		    s->options.reply_ms;
}

static void
send_call(struct session *s)
{
	s->begun_ms = clock_ms();
	session_call_enter(s, CALLING, s->begun_ms + s->options.reply_ms);
	sending_start_parts(&s->sending, &s->call, s->more);
	(void)session_call_step(s); /* a failure shows again in the next step */
}

void
session_call_send(struct session *s)
{
	if (s->looks)
		handshake_begin_look(&s->handshake);
	if (s->transaction.n == 0) {
		send_call(s);
		return;
	}
	transaction_start(&s->transaction, s->transaction.n);
	session_call_enter(s, OPENING, clock_ms() + s->options.reply_ms);
	sending_start(&s->sending, &s->opening);
	(void)session_call_step(s); /* as in send_call */
}

bool
session_call_goes_on(struct session *s, const struct redis_reply *reply)
{
	if (s->transaction.n == 0 ||
	    (s->phase != OPENING && s->phase != CALLING))
		return false;
	transaction_take(&s->transaction, reply);
	if (s->transaction.state == TRANSACTION_OPEN) {
		FAILPOINT("publish-opened");
		send_call(s);
		return true;
	}
	return s->transaction.state == TRANSACTION_GOES_ON;
}

const char *
session_call_error(const struct session *s, const struct redis_reply *reply)
{
	if (s->transaction.n == 0)
		return redis_reply_error(reply);
	return s->transaction.state == TRANSACTION_DONE ? NULL
							: s->transaction.why;
}

bool
session_call_did_nothing(const struct session *s)
{
	return s->transaction.n == 0
		   ? server_info_error_is_proof(s->status.why)
		   : s->transaction.state == TRANSACTION_REFUSED;
}

/* -- calls --------------------------------------------------------------- */

/* Once a minute a look goes in front of a call, or of MULTI. */
static int
start_call(struct session *s, struct buf *first)
{
	buf_clear(&s->call);
	buf_clear(first);
	s->looks = clock_ms() >= s->handshake.look_ms;
	return s->looks ? handshake_add_look(&s->handshake, first) : 0;
}

static struct iovec
bytes_of(const struct buf *b)
{
	struct iovec none = {NULL, 0};

	if (b == NULL)
		return none;
	return (struct iovec){buf_ptr(b), b->len};
}

/* What is sent behind the call; NULL: nothing.  n: commands of a transaction,
 * 0: it is none. */
static int
begin(
    struct session *s, const struct buf *more, const struct buf *last, size_t n)
{
	s->transaction.n = n;
	if (s->served)
		backoff_reset(&s->backoff);
	redis_reply_free(s->reply);
	s->reply = NULL;
	s->more[0] = bytes_of(more);
	s->more[1] = bytes_of(last);
	s->status.sent = false;
	session_call_send(s);
	return 0;
}

int
session_eval(struct session *s, size_t script, size_t n_keys,
    const struct resp_args *args, const struct buf *more)
{
	const char *sha = s->handshake.shas[script];

	if (s->phase != READY || args->failed || start_call(s, &s->call) < 0 ||
	    resp_encode_eval(&s->call, sha, n_keys, args) < 0)
		return -1;
	return begin(s, more, NULL, 0);
}

int
session_transaction(struct session *s, size_t script, size_t n_keys,
    const struct resp_args *args, const struct session_commands *commands)
{
	static const char multi[] = "MULTI\r\n";
	const char *sha = s->handshake.shas[script];

	if (s->phase != READY || args->failed ||
	    start_call(s, &s->opening) < 0 ||
	    buf_add(&s->opening, multi, sizeof multi - 1) < 0 ||
	    resp_encode_eval(&s->call, sha, n_keys, args) < 0 ||
	    buf_add(&s->call, buf_ptr(commands->first), commands->first->len) <
		0)
		return -1;
	return begin(s, commands->more, commands->last, 1 + commands->n);
}

int
session_command(struct session *s, const struct resp_args *args)
{
	if (s->phase != READY || args->failed || start_call(s, &s->call) < 0 ||
	    resp_encode_command(&s->call, args) < 0)
		return -1;
	return begin(s, NULL, NULL, 0);
}

void
session_expect(struct session *s, bool large, bool aside)
{
	s->large = large;
	s->aside = aside;
}

/* The reply stays; the call was sent, and will not be again. */
int
session_confirm(struct session *s, uint64_t n, int64_t wait_ms)
{
	if (s->phase != READY || s->reply == NULL ||
	    replicas_ask(&s->replicas, n, wait_ms, clock_us(), &s->call) < 0)
		return -1;
	session_call_enter(
	    s, CONFIRMING, clock_ms() + wait_ms + s->options.reply_ms);
	sending_start(&s->sending, &s->call);
	(void)session_call_step(s); /* as in send_call */
	return 0;
}

const struct redis_reply *
session_reply(const struct session *s)
{
	return s->reply;
}

void
session_explain(struct session *s, const char *why)
{
	reason_set(s->status.why, "%s", why);
}
