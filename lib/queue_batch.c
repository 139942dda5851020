/*
 * Batches: taken, read, acknowledged.
 *
 * In: a consumer and sequence numbers.  Out: payloads, oldest first.  They
 * belong to Redis until they are acknowledged, whoever dies here.
 */
#include "queue_call.h"

#include <stdlib.h>
#include <string.h>

static int gather(struct queue *q, const struct redis_reply *chunk);
static bool state_is(const struct redis_reply *reply, const char *word);

int
queue_take(struct queue *q, const struct id *consumer, uint64_t seq, uint64_t n)
{
	if (!call_start(q))
		return -1;
	call_list_key(q, "ready");
	call_own_key(q, "consumers");
	call_consumer_key(q, consumer, "owner", NULL);
	call_consumer_key(q, consumer, "last", NULL);
	call_consumer_key(q, consumer, "batches", NULL);
	call_consumer_key(q, consumer, "batch", &seq);
	call_id(q, consumer);
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, n);
	resp_arg_u64(&q->args, QUEUE_TAKE_BYTES);
	resp_arg_u64(&q->args, QUEUE_UNACKED_MAX);
	resp_arg_u64(&q->args, QUEUE_UNACKED_AGE_MS);
	q->batch = (struct queue_batch){.seq = seq};
	return call_eval(q, CALL_TAKE, 6);
}

enum queue_taken
queue_taken(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	if (state_is(reply, "taken"))
		return QUEUE_TAKEN;
	if (state_is(reply, "empty"))
		return QUEUE_EMPTY;
	if (state_is(reply, "full"))
		return QUEUE_FULL;
	if (state_is(reply, "notowner"))
		return QUEUE_NOT_OWNER;
	return QUEUE_GONE;
}

struct queue_batch
queue_batch(const struct queue *q)
{
	return q->batch;
}

const char *
queue_payload(const struct queue *q, size_t i, size_t *ret_len)
{
	return redis_reply_text(q->payloads[i], ret_len);
}

int
queue_read(struct queue *q, const struct id *consumer, uint64_t seq)
{
	if (!call_start(q))
		return -1;
	call_consumer_key(q, consumer, "batches", NULL);
	call_consumer_key(q, consumer, "batch", &seq);
	resp_arg_u64(&q->args, seq);
	q->batch = (struct queue_batch){.seq = seq};
	return call_eval(q, CALL_READ, 2);
}

/* The time, then parts of the list, right to left: puts all payloads in
 * order, oldest first. */
int
call_digest_batch(struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	if (redis_reply_count(reply) == 0)
		return -1;
	q->batch.n = 0;
	q->batch.taken_ms = redis_reply_int(redis_reply_at(reply, 1), 0);
	for (size_t i = 2; i < redis_reply_count(reply); i++)
		if (gather(q, redis_reply_at(reply, i)) < 0)
			return -1;
	return 0;
}

static int
gather(struct queue *q, const struct redis_reply *chunk)
{
	size_t n = redis_reply_count(chunk), cap = q->batch.n + n;
	const struct redis_reply **more;

	if (cap > q->payloads_cap) {
		cap *= 2;
		more = realloc(q->payloads, cap * sizeof *more);
		if (more == NULL)
			return -1;
		q->payloads = more;
		q->payloads_cap = cap;
	}
	while (n-- > 0) {
		const struct redis_reply *one = redis_reply_at(chunk, n);
		size_t len;

		if (redis_reply_text(one, &len) == NULL)
			return -1;
		q->payloads[q->batch.n++] = one;
	}
	return 0;
}

int
queue_acknowledge(struct queue *q, const struct id *consumer,
    const uint64_t *seqs, size_t n, const struct queue_reject *rejects,
    size_t n_rejects)
{
	if (!call_start(q))
		return -1;
	call_list_key(q, "rejected");
	call_consumer_key(q, consumer, "batches", NULL);
	call_consumer_key(q, consumer, "batch::", NULL);
	resp_arg_u64(&q->args, n);
	for (size_t i = 0; i < n; i++)
		resp_arg_u64(&q->args, seqs[i]);
	for (size_t i = 0; i < n_rejects; i++) {
		resp_arg_u64(&q->args, rejects[i].seq);
		resp_arg_u64(&q->args, rejects[i].index);
	}
	return call_eval(q, CALL_ACKNOWLEDGE, 2);
}

static bool
state_is(const struct redis_reply *reply, const char *word)
{
	size_t len;
	const char *text = redis_reply_text(redis_reply_at(reply, 0), &len);

	return text != NULL && strcmp(text, word) == 0;
}
