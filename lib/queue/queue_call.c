/* The table of Redis calls, and how the arguments of a call are written. */
#include "queue/queue_call.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "queue/owner.h"
#include "queue/queue_key.h"
#include "redis/handshake.h"

#include "queue/lua/acknowledge.h"
#include "queue/lua/admit.h"
#include "queue/lua/adopt.h"
#include "queue/lua/holders.h"
#include "queue/lua/identify.h"
#include "queue/lua/introduce.h"
#include "queue/lua/look.h"
#include "queue/lua/mark.h"
#include "queue/lua/measure.h"
#include "queue/lua/numbers.h"
#include "queue/lua/peek.h"
#include "queue/lua/publish.h"
#include "queue/lua/read.h"
#include "queue/lua/register.h"
#include "queue/lua/renew.h"
#include "queue/lua/restore.h"
#include "queue/lua/shards.h"
#include "queue/lua/survey.h"
#include "queue/lua/take.h"
#include "queue/lua/trim.h"
#include "queue/lua/withdraw.h"

enum {
	REST_MAX = 160, /* a UUID, a number, the words */
	KEY_MAX = 512   /* the same, a name, and more words */
};

/* The numbers that the session gives the scripts. */
#define NUMBER(CALL, name) NUMBER_##CALL,
#define NO_NUMBER(CALL, name)
enum { QUEUE_CALLS(NUMBER, NO_NUMBER) SCRIPTS };

#define TEXT(CALL, name) [NUMBER_##CALL] = script_##name,
static const char *const scripts[SCRIPTS] = {QUEUE_CALLS(TEXT, NO_NUMBER)};

_Static_assert(
    (size_t)SCRIPTS <= HANDSHAKE_SCRIPTS_MAX, "HANDSHAKE_SCRIPTS_MAX");

const struct session_options queue_call_session = {
    scripts, SCRIPTS, QUEUE_CONNECT_MS, QUEUE_REPLY_MS, NULL, 0};

enum { COMMAND = SCRIPTS /* in place of the number of a script */ };

#define SCRIPT_CALL(CALL, name) \
	[QUEUE_CALL_##CALL] = {NUMBER_##CALL, queue_call_digest_##name},
#define COMMAND_CALL(CALL, name) \
	[QUEUE_CALL_##CALL] = {COMMAND, queue_call_digest_##name},

static const struct {
	size_t script;
	enum queue_state (*digest)(struct queue *, const struct redis_reply *);
} calls[QUEUE_CALL_NONE] = {QUEUE_CALLS(SCRIPT_CALL, COMMAND_CALL)};

static void drop(struct queue *q);

const char *
queue_call_script(enum queue_call call)
{
	return scripts[calls[call].script];
}

enum queue_state
queue_call_digest(struct queue *q)
{
	enum queue_state state =
	    queue_call_digest_reply(q, session_reply(q->session));

	if (state == QUEUE_LOST)
		drop(q);
	return state;
}

enum queue_state
queue_call_digest_reply(struct queue *q, const struct redis_reply *reply)
{
	enum queue_call call = q->call;
	enum queue_state state = calls[call].digest(q, reply);

	if (queue_call_is_large(call))
		reply_limit_met(&q->limit);
	if (state == QUEUE_DONE)
		q->done = call;
	return state;
}

/* Whoever sends such a reply may have done anything. */
static void
drop(struct queue *q)
{
	session_hang_up(q->session);
	session_explain(q->session,
	    q->members.rounds >= QUEUE_MEMBERS_ROUNDS
		? "consumers or batches come more quickly than can be listed"
		: "reply that is not one to this call");
	q->members.rounds = 0;
}

int
queue_call_number(const struct redis_reply *reply, size_t i, int64_t min,
    int64_t max, int64_t *ret)
{
	int64_t n = redis_reply_int(redis_reply_at(reply, i), INT64_MIN);

	if (n < min || n > max)
		return -1;
	*ret = n;
	return 0;
}

bool
queue_call_are_texts(const struct redis_reply *reply, size_t first)
{
	size_t len;

	for (size_t i = first; i < redis_reply_count(reply); i++)
		if (redis_reply_text(redis_reply_at(reply, i), &len) == NULL)
			return false;
	return true;
}

bool
queue_call_ascend(
    const struct redis_reply *reply, size_t first, int64_t min, int64_t max)
{
	int64_t n;

	for (size_t i = first; i < redis_reply_count(reply); i++) {
		if (queue_call_number(reply, i, min, max, &n) < 0)
			return false;
		min = n + 1;
	}
	return true;
}

bool
queue_call_are_rows(
    const struct redis_reply *reply, size_t width, size_t max, int64_t min)
{
	size_t count = redis_reply_count(reply), len;
	int64_t n;

	if (!redis_reply_is_list(reply) || count % width != 0 ||
	    count / width > max)
		return false;
	for (size_t i = 0; i < count; i++)
		if (i % width == 0 ? redis_reply_text(
					 redis_reply_at(reply, i), &len) == NULL
				   : queue_call_number(reply, i, min,
					 QUEUE_CALL_NUMBER_MAX, &n) < 0)
			return false;
	return true;
}

/*
 * What a caller counts on needs it: that lines are pushed, or were; how many
 * shards there are for ever; that a consumer is registered; that a batch is
 * what was read; that a dead letter has a label.  An adoption does not: its
 * batches are read before they are delivered, and a read of the same history
 * comes after it.
 *
 * A renewal is waited for once a second, and whatever comes of it is done: it
 * shows who has nothing else to do that its primary has lost its replicas.
 */
int64_t
queue_call_confirm_ms(const struct queue *q)
{
	if (!queue_confirms(q))
		return 0;
	if (q->call == QUEUE_CALL_REGISTER || q->call == QUEUE_CALL_WITHDRAW)
		return QUEUE_CONFIRM_MS;
	if (q->call == QUEUE_CALL_SHARDS)
		return q->asked > 0 ? QUEUE_CONFIRM_MS : 0;
	if (q->call == QUEUE_CALL_INTRODUCE)
		return q->result.introduced.is_new ? QUEUE_CONFIRM_MS : 0;
	if (q->call == QUEUE_CALL_PUBLISH || q->call == QUEUE_CALL_ADMIT)
		return queue_published_any(&q->result.published)
			   ? QUEUE_CONFIRM_MS
			   : 0;
	if (q->call == QUEUE_CALL_LIST ||
	    (q->call == QUEUE_CALL_PEEK && q->in_pieces &&
		q->result.batch.outcome == QUEUE_TAKEN))
		return QUEUE_CONFIRM_SOON_MS;
	return q->call == QUEUE_CALL_RENEW &&
		       clock_ms() >= q->confirmed_ms + QUEUE_CONFIRM_EVERY_MS
		   ? QUEUE_CONFIRM_SOON_MS
		   : 0;
}

bool
queue_call_start(struct queue *q)
{
	resp_args_clear(&q->args);
	return queue_status(q)->idle;
}

int
queue_call_eval(struct queue *q, enum queue_call call, size_t n_keys,
    const struct buf *more)
{
	q->call = call;
	q->done = QUEUE_CALL_NONE;
	q->confirming = false;
	q->n_keys = n_keys;
	session_expect(
	    q->session, queue_call_is_large(call), call == QUEUE_CALL_MEASURE);
	return session_eval(
	    q->session, calls[call].script, n_keys, &q->args, more);
}

int
queue_call_command(struct queue *q, enum queue_call call)
{
	q->call = call;
	q->done = QUEUE_CALL_NONE;
	q->confirming = false;
	session_expect(
	    q->session, queue_call_is_large(call), call == QUEUE_CALL_MEASURE);
	return session_command(q->session, &q->args);
}

/* Whoever may not make it makes the script's call. */
int
queue_call_transaction(struct queue *q, enum queue_call call, size_t n_keys,
    const struct session_commands *commands)
{
	q->call = call;
	q->done = QUEUE_CALL_NONE;
	q->confirming = false;
	session_expect(q->session, false, true);
	return session_transaction(
	    q->session, calls[call].script, n_keys, &q->args, commands);
}

bool
queue_call_is_large(enum queue_call call)
{
	return call == QUEUE_CALL_LIST || call == QUEUE_CALL_PEEK ||
	       call == QUEUE_CALL_SURVEY;
}

enum queue_state
queue_call_with_members(struct queue *q, const struct redis_reply *reply,
    int (*send)(struct queue *))
{
	return queue_members_note(&q->members, reply, 1) == 0 &&
		       queue_members_go_on(&q->members) && send(q) == 0
		   ? QUEUE_CALLING
		   : QUEUE_LOST;
}

int
queue_call_again(struct queue *q)
{
	if (!queue_status(q)->idle)
		return -1;
	q->members.rounds = 0;
	return queue_call_eval(q, q->call, q->n_keys, NULL);
}

void
queue_call_queues_key(struct queue *q)
{
	if (queue_status(q)->cluster)
		queue_call_guard_key(q);
	else
		resp_arg_text(&q->args, QUEUE_KEY_NAMES);
}

void
queue_call_guard_key(struct queue *q)
{
	queue_call_own_key(q, "none");
}

/* On a cluster rmq::queues is another call's. */
void
queue_call_name(struct queue *q)
{
	resp_arg_text(&q->args, queue_status(q)->cluster ? "" : q->name);
}

void
queue_call_version(struct queue *q)
{
	resp_arg_text(&q->args, QUEUE_CALL_VERSION);
	resp_arg_u64(&q->args, QUEUE_BOTH_S);
	queue_call_name(q);
}

void
queue_call_told(struct queue *q)
{
	if (q->confirms && q->told)
		resp_arg_u64(&q->args, q->replicas);
	else
		resp_arg_text(&q->args, "");
}

void
queue_call_list_key(struct queue *q, const char *list)
{
	char key[KEY_MAX];

	queue_key(key, sizeof key, QUEUE_KEY_RMQ, q->name,
	    queue_status(q)->cluster, list);
	resp_arg_text(&q->args, key);
}

void
queue_call_own_key(struct queue *q, const char *rest)
{
	char key[KEY_MAX];

	queue_key(key, sizeof key, QUEUE_KEY_INCR, q->name,
	    queue_status(q)->cluster, rest);
	resp_arg_text(&q->args, key);
}

/* ...::consumer::ID::rest, with ::SEQ if there is one */
void
queue_call_consumer_key(struct queue *q, const struct id *consumer,
    const char *rest, const uint64_t *seq)
{
	char key[REST_MAX], text[ID_TEXT + 1];
	int len;

	id_format(consumer, text);
	len = snprintf(key, sizeof key, "consumer::%s::%s", text, rest);
	if (seq != NULL)
		snprintf(key + len, sizeof key - (size_t)len, "::%ju",
		    (uintmax_t)*seq);
	queue_call_own_key(q, key);
}

void
queue_call_publisher_key(
    struct queue *q, const struct id *publisher, const char *rest)
{
	char key[REST_MAX], text[ID_TEXT + 1];

	id_format(publisher, text);
	snprintf(key, sizeof key, "publisher::%s%s", text, rest);
	queue_call_own_key(q, key);
}

void
queue_call_id(struct queue *q, const struct id *id)
{
	char text[ID_TEXT + 1];

	id_format(id, text);
	resp_arg(&q->args, text, ID_TEXT);
}

/* The owner record of this process, and how long it lives. */
void
queue_call_record(struct queue *q, const struct id *speaker)
{
	char record[OWNER_RECORD_MAX];

	owner_record(speaker, record);
	resp_arg_text(&q->args, record);
	resp_arg_u64(&q->args, QUEUE_OWNER_MS);
}

/* What stands behind the start time makes it no process that can be gone. */
void
queue_call_ended_record(struct queue *q, const struct id *speaker)
{
	char record[OWNER_RECORD_MAX], ended[OWNER_RECORD_MAX + sizeof " end"];

	owner_record(speaker, record);
	snprintf(ended, sizeof ended, "%s end", record);
	resp_arg_text(&q->args, ended);
	resp_arg_u64(&q->args, QUEUE_ENDED_MS);
}
