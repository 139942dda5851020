/*
 * The queue's keys, calls and results.
 *
 * In: one call at a time.  Out: its typed result.  Every change is one
 * script, so a process killed at any line leaves it done or not done; a
 * call whose reply was lost is repeated as it was (register apart), and the
 * scripts see to it that it counts once.
 *
 * What belongs to whom: lines belong to the publisher's caller until
 * QUEUE_PUSHED or QUEUE_BEFORE, payloads to Redis until queue_acknowledge.
 */
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue_call.h"
#include "redis/msgpack.h"

#include "queue/lua/acknowledge.h"
#include "queue/lua/adopt.h"
#include "queue/lua/introduce.h"
#include "queue/lua/measure.h"
#include "queue/lua/peek.h"
#include "queue/lua/publish.h"
#include "queue/lua/read.h"
#include "queue/lua/register.h"
#include "queue/lua/renew.h"
#include "queue/lua/survey.h"
#include "queue/lua/take.h"
#include "queue/lua/withdraw.h"

static const char *const scripts[QUEUE_CALL_SCRIPTS] = {
    [QUEUE_CALL_INTRODUCE] = script_introduce,
    [QUEUE_CALL_PUBLISH] = script_publish,
    [QUEUE_CALL_REGISTER] = script_register,
    [QUEUE_CALL_TAKE] = script_take,
    [QUEUE_CALL_READ] = script_read,
    [QUEUE_CALL_RENEW] = script_renew,
    [QUEUE_CALL_ADOPT] = script_adopt,
    [QUEUE_CALL_ACKNOWLEDGE] = script_acknowledge,
    [QUEUE_CALL_MEASURE] = script_measure,
    [QUEUE_CALL_PEEK] = script_peek,
    [QUEUE_CALL_WITHDRAW] = script_withdraw,
    [QUEUE_CALL_SURVEY] = script_survey,
};

static const char queues_key[] = "rmq::queues";
enum { LINE_END = 2 }; /* CR LF */

static enum queue_state digest(struct queue *q);
static void publisher_key(struct queue *q, const struct id *publisher);
static bool lists(const struct redis_reply *reply, int64_t index);

struct queue *
queue_open(const char *url, const char *name, const char **ret_why)
{
	static const struct session_options options = {
	    scripts, QUEUE_CALL_SCRIPTS, QUEUE_CONNECT_MS, QUEUE_REPLY_MS};
	struct queue *q;

	*ret_why = "not a queue's name";
	if (strlen(name) > QUEUE_CALL_NAME_MAX)
		return NULL;
	*ret_why = "out of memory";
	q = calloc(1, sizeof *q);
	if (q == NULL)
		return NULL;
	memcpy(q->name, name, strlen(name) + 1);
	q->call = QUEUE_CALL_NONE;
	q->session = session_open(url, &options, ret_why);
	if (q->session == NULL) {
		free(q);
		return NULL;
	}
	return q;
}

void
queue_close(struct queue *q)
{
	if (q == NULL)
		return;
	session_close(q->session);
	resp_args_free(&q->args);
	liveness_free(&q->sightings);
	free(q);
}

int64_t
queue_wait(const struct queue *q, struct pollfd *ret_pfd)
{
	return session_wait(q->session, ret_pfd);
}

enum queue_state
queue_step(struct queue *q, short revents)
{
	switch (session_step(q->session, revents)) {
	case SESSION_DOWN: break;
	case SESSION_IDLE: return QUEUE_IDLE;
	case SESSION_CALLING: return QUEUE_CALLING;
	case SESSION_REPLIED: return digest(q);
	case SESSION_REFUSED: return QUEUE_REFUSED;
	case SESSION_LOST: return QUEUE_LOST;
	case SESSION_FAULT: return QUEUE_FAULT;
	}
	return QUEUE_DOWN;
}

/* A reply that no script gives: what was done is not known. */
static enum queue_state
digest(struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);
	bool good = true;

	switch (q->call) {
	case QUEUE_CALL_ADOPT: return queue_call_digest_adopt(q);
	case QUEUE_CALL_TAKE:
	case QUEUE_CALL_READ: return queue_call_digest_batch(q);
	case QUEUE_CALL_LIST: good = queue_call_digest_list(q); break;
	case QUEUE_CALL_PUBLISH:
		good = redis_reply_int(redis_reply_at(reply, 0), -1) >= 0;
		break;
	case QUEUE_CALL_PEEK: good = queue_call_digest_peek(q); break;
	case QUEUE_CALL_SURVEY: good = redis_reply_count(reply) >= 2; break;
	case QUEUE_CALL_WITHDRAW:
		good = redis_reply_int(reply, -2) >= -1;
		break;
	case QUEUE_CALL_ACKNOWLEDGE:
	case QUEUE_CALL_ASK: good = redis_reply_int(reply, -1) >= 0; break;
	case QUEUE_CALL_RENEW:
	case QUEUE_CALL_MEASURE: good = redis_reply_count(reply) > 0; break;
	case QUEUE_CALL_INTRODUCE:
	case QUEUE_CALL_REGISTER: good = redis_reply_int(reply, -1) >= 0; break;
	case QUEUE_CALL_NONE: break;
	}
	if (good)
		return QUEUE_DONE;
	session_hang_up(q->session);
	return QUEUE_LOST;
}

bool
queue_idle(const struct queue *q)
{
	return session_idle(q->session);
}

bool
queue_sent(const struct queue *q)
{
	return session_sent(q->session);
}

const char *
queue_why(const struct queue *q)
{
	return session_why(q->session);
}

uint64_t
queue_run(const struct queue *q)
{
	return session_run(q->session);
}

uint64_t
queue_maxmemory(const struct queue *q)
{
	return session_maxmemory(q->session);
}

void
queue_hang_up(struct queue *q)
{
	session_hang_up(q->session);
}

/* -- publish ------------------------------------------------------------- */

int
queue_lines_add(struct queue_lines *l, const char *tag, size_t tag_len,
    const char *line, size_t len)
{
	size_t before = l->packed.len;
	char mark[1 + QUEUE_TAG_MAX] = "\t"; /* no increment begins so */

	if (l->n == QUEUE_LINES_MAX || tag_len > QUEUE_TAG_MAX)
		return -1;
	if (tag_len > 0)
		memcpy(mark + 1, tag, tag_len);
	if (before > 0)
		l->packed.len -= LINE_END;
	if ((tag_len > 0 && msgpack_add(&l->packed, mark, 1 + tag_len) < 0) ||
	    msgpack_add(&l->packed, line, len) < 0 ||
	    buf_add(&l->packed, "\r\n", LINE_END) < 0) {
		l->packed.len = before;
		return -1;
	}
	l->n++;
	l->tags += tag_len > 0;
	return 0;
}

void
queue_lines_clear(struct queue_lines *l)
{
	buf_clear(&l->packed);
	l->n = l->tags = 0;
}

void
queue_lines_free(struct queue_lines *l)
{
	buf_free(&l->packed);
	l->n = l->tags = 0;
}

int
queue_introduce(struct queue *q, const struct id *publisher)
{
	if (!queue_call_start(q))
		return -1;
	publisher_key(q, publisher);
	resp_arg_u64(&q->args, QUEUE_PUBLISHER_S);
	return queue_call_eval(q, QUEUE_CALL_INTRODUCE, 1);
}

bool
queue_introduced(const struct queue *q)
{
	return redis_reply_int(session_reply(q->session), 0) == 1;
}

int
queue_publish(struct queue *q, const struct id *publisher, uint64_t seq,
    const struct queue_lines *lines, const struct queue_terms *terms)
{
	unsigned char head[MSGPACK_HEAD];

	if (lines->n == 0 || !queue_call_start(q))
		return -1;
	queue_call_list_key(q, "ready");
	resp_arg_text(&q->args, queues_key);
	publisher_key(q, publisher);
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, QUEUE_PUBLISHER_S);
	resp_arg_text(&q->args, q->name);
	if (lines->tags > 0)
		queue_call_own_key(q, "seen::");
	else
		resp_arg_text(&q->args, "");
	resp_arg_u64(&q->args, terms->window_s);
	resp_arg_u64(&q->args, terms->high_water);
	msgpack_head((uint32_t)(lines->n + lines->tags), head);
	resp_arg_begin(&q->args, head, MSGPACK_HEAD,
	    MSGPACK_HEAD + lines->packed.len - LINE_END);
	q->call = QUEUE_CALL_PUBLISH;
	return session_eval(
	    q->session, QUEUE_CALL_PUBLISH, 3, &q->args, &lines->packed);
}

static void
publisher_key(struct queue *q, const struct id *publisher)
{
	char rest[2 * ID_TEXT], text[ID_TEXT + 1];

	id_format(publisher, text);
	snprintf(rest, sizeof rest, "publisher::%s", text);
	queue_call_own_key(q, rest);
}

enum queue_published
queue_published(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	switch (redis_reply_int(redis_reply_at(reply, 0), 0)) {
	case 1: return QUEUE_PUSHED;
	case 2: return QUEUE_BEFORE;
	case 3: return QUEUE_HIGH;
	case 4: return QUEUE_OOM;
	}
	return QUEUE_GAP;
}

bool
queue_reused(const struct queue *q, size_t i)
{
	return lists(session_reply(q->session), (int64_t)i);
}

bool
queue_known(const struct queue *q, size_t i)
{
	return lists(session_reply(q->session), -1 - (int64_t)i);
}

/* The reply's indexes ascend. */
static bool
lists(const struct redis_reply *reply, int64_t index)
{
	size_t low = 1, high = redis_reply_count(reply);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int64_t at = redis_reply_int(redis_reply_at(reply, mid), 0);

		if (at == index)
			return true;
		if (at < index)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* -- ownership ----------------------------------------------------------- */

int
queue_register(struct queue *q, const struct id *consumer)
{
	if (!queue_call_start(q))
		return -1;
	resp_arg_text(&q->args, queues_key);
	queue_call_own_key(q, "consumers");
	queue_call_consumer_key(q, consumer, "owner", NULL);
	queue_call_consumer_key(q, consumer, "last", NULL);
	resp_arg_text(&q->args, q->name);
	queue_call_id(q, consumer);
	queue_call_record(q, consumer);
	return queue_call_eval(q, QUEUE_CALL_REGISTER, 4);
}

int64_t
queue_registered_ms(const struct queue *q)
{
	return redis_reply_int(session_reply(q->session), 0);
}

int
queue_renew(struct queue *q, const struct id *self, const struct id *consumers,
    size_t n, bool claim)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "consumers");
	queue_call_own_key(q, "consumer::");
	queue_call_id(q, self);
	queue_call_record(q, self);
	resp_arg_text(&q->args, claim ? "1" : "");
	for (size_t i = 0; i < n; i++)
		queue_call_id(q, &consumers[i]);
	return queue_call_eval(q, QUEUE_CALL_RENEW, 1);
}

enum queue_renewed
queue_renewed(const struct queue *q, size_t i)
{
	const struct redis_reply *reply = session_reply(q->session);

	switch (redis_reply_int(redis_reply_at(reply, i), 0)) {
	case 1: return QUEUE_OWNED;
	case 2: return QUEUE_OWNED_BARE;
	}
	return QUEUE_DISOWNED;
}

/* -- questions ----------------------------------------------------------- */

int
queue_ask(struct queue *q, const struct id *consumer)
{
	if (!queue_call_start(q))
		return -1;
	resp_arg_text(&q->args, "SISMEMBER");
	queue_call_own_key(q, "consumers");
	queue_call_id(q, consumer);
	q->call = QUEUE_CALL_ASK;
	return session_command(q->session, &q->args);
}

bool
queue_registered(const struct queue *q)
{
	return redis_reply_int(session_reply(q->session), 0) == 1;
}

int
queue_measure(struct queue *q)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_list_key(q, "ready");
	queue_call_list_key(q, "rejected");
	queue_call_own_key(q, "consumers");
	queue_call_own_key(q, "consumer::");
	return queue_call_eval(q, QUEUE_CALL_MEASURE, 3);
}

struct queue_lengths
queue_lengths(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);
	uint64_t n[3];

	for (size_t i = 0; i < 3; i++)
		n[i] = (uint64_t)redis_reply_int(redis_reply_at(reply, i), 0);
	return (struct queue_lengths){n[0], n[1], n[2]};
}
