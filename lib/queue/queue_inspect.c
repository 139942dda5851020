/*
 * Looking after a queue: its lists are looked at, dead letters withdrawn.
 *
 * In: places and payloads as they were seen.  Out: payloads, numbers.  A
 * payload is in one list at every moment, whoever dies here.
 */
#include "queue/queue_call.h"

#include <stdio.h>

enum {
	MARK_MAX = ID_TEXT + 40,
	/* Of a consumer in the reply to a survey, before its batches. */
	HELD_HEAD = 2
};

static const struct redis_reply *held(const struct queue *q, size_t i);

int
queue_repeat(struct queue *q)
{
	if (!session_idle(q->session))
		return -1;
	return session_eval(q->session, q->call, q->n_keys, &q->args, NULL);
}

/* -- peek ----------------------------------------------------------------- */

int
queue_peek(
    struct queue *q, const struct queue_list *list, uint64_t older, uint64_t n)
{
	if (!queue_call_start(q))
		return -1;
	switch (list->kind) {
	case QUEUE_READY: queue_call_list_key(q, "ready"); break;
	case QUEUE_REJECTED: queue_call_list_key(q, "rejected"); break;
	case QUEUE_BATCH:
		queue_call_consumer_key(
		    q, &list->consumer, "batch", &list->seq);
		break;
	}
	resp_arg_u64(&q->args, older);
	resp_arg_u64(&q->args, n < QUEUE_PEEK_MAX ? n : QUEUE_PEEK_MAX);
	resp_arg_u64(&q->args, QUEUE_PEEK_BYTES);
	return queue_call_eval(q, QUEUE_CALL_PEEK, 1);
}

bool
queue_call_digest_peek(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);
	size_t len;

	if (redis_reply_int(redis_reply_at(reply, 0), -1) < 0)
		return false;
	for (size_t i = 1; i < redis_reply_count(reply); i++)
		if (redis_reply_text(redis_reply_at(reply, i), &len) == NULL)
			return false;
	return true;
}

uint64_t
queue_peek_length(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	return (uint64_t)redis_reply_int(redis_reply_at(reply, 0), 0);
}

size_t
queue_peeked(const struct queue *q)
{
	return redis_reply_count(session_reply(q->session)) - 1;
}

const char *
queue_peeked_payload(const struct queue *q, size_t i, size_t *ret_len)
{
	return redis_reply_text(
	    redis_reply_at(session_reply(q->session), i + 1), ret_len);
}

/* -- withdraw ------------------------------------------------------------- */

int
queue_withdraw(struct queue *q, const struct id *withdrawer, uint64_t seq,
    bool republish, uint64_t older, const struct queue_picks *picks)
{
	char text[ID_TEXT + 1], key[2 * ID_TEXT], mark[MARK_MAX];
	const char *payload;
	size_t len;

	if (!queue_call_start(q))
		return -1;
	id_format(withdrawer, text);
	snprintf(mark, sizeof mark, "withdrawn %s", text);
	queue_call_list_key(q, "rejected");
	queue_call_list_key(q, "ready");
	snprintf(key, sizeof key, "withdrawer::%s", text);
	queue_call_own_key(q, key);
	snprintf(key, sizeof key, "withdrawer::%s::none", text);
	queue_call_own_key(q, key);
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, QUEUE_WITHDRAWER_S);
	resp_arg_text(&q->args, republish ? "ready" : "");
	resp_arg_text(&q->args, mark);
	resp_arg_u64(&q->args, older);
	for (size_t i = 0; i < picks->n; i++) {
		payload = queue_peeked_payload(q, picks->index[i], &len);
		if (payload == NULL)
			return -1;
		resp_arg_u64(&q->args, picks->index[i]);
		resp_arg(&q->args, payload, len);
	}
	return queue_call_eval(q, QUEUE_CALL_WITHDRAW, 4);
}

int64_t
queue_withdrawn(const struct queue *q)
{
	return redis_reply_int(session_reply(q->session), -1);
}

/* -- survey --------------------------------------------------------------- */

int
queue_survey(struct queue *q)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_list_key(q, "ready");
	queue_call_list_key(q, "rejected");
	queue_call_own_key(q, "consumers");
	queue_call_own_key(q, "consumer::");
	return queue_call_eval(q, QUEUE_CALL_SURVEY, 3);
}

struct queue_surveyed
queue_surveyed(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	return (struct queue_surveyed){
	    .ready = (uint64_t)redis_reply_int(redis_reply_at(reply, 0), 0),
	    .rejected = (uint64_t)redis_reply_int(redis_reply_at(reply, 1), 0),
	    .consumers = redis_reply_count(reply) - 2};
}

static const struct redis_reply *
held(const struct queue *q, size_t i)
{
	return redis_reply_at(session_reply(q->session), 2 + i);
}

int
queue_held(const struct queue *q, size_t i, struct queue_held *ret)
{
	const struct redis_reply *one = held(q, i);
	size_t len;
	const char *id = redis_reply_text(redis_reply_at(one, 0), &len);
	int64_t last = redis_reply_int(redis_reply_at(one, 1), -1);

	if (id == NULL || last < 0 || id_parse(id, len, &ret->consumer) < 0)
		return -1;
	ret->last = (uint64_t)last;
	ret->batches = (redis_reply_count(one) - HELD_HEAD) / 2;
	return 0;
}

uint64_t
queue_held_seq(const struct queue *q, size_t i, size_t j)
{
	return (uint64_t)redis_reply_int(
	    redis_reply_at(held(q, i), HELD_HEAD + 2 * j), 0);
}

uint64_t
queue_held_length(const struct queue *q, size_t i, size_t j)
{
	return (uint64_t)redis_reply_int(
	    redis_reply_at(held(q, i), HELD_HEAD + 2 * j + 1), 0);
}
