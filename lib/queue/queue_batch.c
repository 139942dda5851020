/*
 * The calls about batches: take, read, acknowledge.
 *
 * In: a consumer and sequence numbers.  Out: payloads, oldest first.  Redis
 * owns them until they are acknowledged, whoever dies here.
 */
#include "queue/queue_call.h"

#include <assert.h>
#include <string.h>

#include "base/failpoint.h"

static enum queue_state digest(
    struct queue *q, const struct redis_reply *reply);
static enum queue_take_outcome outcome(const struct redis_reply *reply);
static int send_list(struct queue *q);

int
queue_take(struct queue *q, const struct id *consumer, uint64_t seq, uint64_t n,
    bool strict)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_list_key(q, "ready");
	queue_call_own_key(q, "consumers");
	queue_call_consumer_key(q, consumer, "owner", NULL);
	queue_call_consumer_key(q, consumer, "last", NULL);
	queue_call_consumer_key(q, consumer, "batches", NULL);
	queue_call_consumer_key(q, consumer, "batch", &seq);
	queue_call_own_key(q, "emptied");
	queue_call_consumer_key(q, consumer, "flush", NULL);
	queue_call_id(q, consumer);
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, n);
	resp_arg_u64(&q->args, QUEUE_TAKE_BYTES);
	resp_arg_u64(&q->args, QUEUE_UNACKED_MAX);
	resp_arg_u64(&q->args, QUEUE_UNACKED_AGE_MS);
	resp_arg_text(&q->args, strict ? "1" : "");
	q->batch_of = *consumer;
	q->batch_seq = seq;
	return queue_call_eval(q, QUEUE_CALL_TAKE, 8, NULL);
}

int
queue_read(struct queue *q, const struct id *consumer, uint64_t seq)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_consumer_key(q, consumer, "batches", NULL);
	queue_call_consumer_key(q, consumer, "last", NULL);
	resp_arg_u64(&q->args, seq);
	q->batch_of = *consumer;
	q->batch_seq = seq;
	return queue_call_eval(q, QUEUE_CALL_READ, 2, NULL);
}

enum queue_state
queue_call_digest_take(struct queue *q, const struct redis_reply *reply)
{
	return digest(q, reply);
}

enum queue_state
queue_call_digest_read(struct queue *q, const struct redis_reply *reply)
{
	return digest(q, reply);
}

/* The payloads of a batch that is there are asked for by the same call. */
static enum queue_state
digest(struct queue *q, const struct redis_reply *reply)
{
	int64_t taken_ms = redis_reply_int(redis_reply_at(reply, 1), 0);

	if (redis_reply_count(reply) == 0)
		return QUEUE_LOST;
	q->result.batch = (struct queue_batch){.outcome = outcome(reply),
	    .seq = q->batch_seq,
	    .taken_ms = taken_ms,
	    .since_ms = redis_reply_int(redis_reply_at(reply, 2), taken_ms)};
	if (q->result.batch.outcome != QUEUE_TAKEN)
		return QUEUE_DONE;
	return FAILPOINT_AFTER("consume-list-sent", send_list(q)) == 0
		   ? QUEUE_CALLING
		   : QUEUE_LOST;
}

static enum queue_take_outcome
outcome(const struct redis_reply *reply)
{
	static const char *const words[] = {[QUEUE_TAKEN] = "taken",
	    [QUEUE_EMPTY] = "empty",
	    [QUEUE_FULL] = "full",
	    [QUEUE_NOT_OWNER] = "notowner",
	    [QUEUE_UNMARKED] = "unmarked",
	    [QUEUE_GONE] = "gone"};
	size_t len;
	const char *word = redis_reply_text(redis_reply_at(reply, 0), &len);

	for (int i = 0; word != NULL && i < QUEUE_GONE; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum queue_take_outcome)i;
	return QUEUE_GONE;
}

static int
send_list(struct queue *q)
{
	if (!queue_call_start(q))
		return -1;
	resp_arg_text(&q->args, "LRANGE");
	queue_call_consumer_key(q, &q->batch_of, "batch", &q->batch_seq);
	resp_arg_text(&q->args, "0");
	resp_arg_text(&q->args, "-1");
	return queue_call_command(q, QUEUE_CALL_LIST);
}

/* Without payloads the batch has gone between the two replies: adopted
 * meanwhile, counted, acknowledged. */
enum queue_state
queue_call_digest_list(struct queue *q, const struct redis_reply *reply)
{
	struct queue_batch *b = &q->result.batch;
	size_t len;

	b->n = redis_reply_count(reply);
	b->payloads = reply;
	for (size_t i = 0; i < b->n; i++)
		if (redis_reply_text(redis_reply_at(reply, i), &len) == NULL)
			return QUEUE_LOST;
	if (b->n == 0)
		b->outcome = QUEUE_GONE;
	return QUEUE_DONE;
}

const struct queue_batch *
queue_batch(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_TAKE || q->done == QUEUE_CALL_READ ||
	       q->done == QUEUE_CALL_LIST);
	return &q->result.batch;
}

/* The right end of the list is the oldest payload. */
const char *
queue_batch_payload(const struct queue_batch *b, size_t i, size_t *ret_len)
{
	return redis_reply_text(
	    redis_reply_at(b->payloads, b->n - 1 - i), ret_len);
}

int
queue_acknowledge(struct queue *q, const struct id *consumer,
    const uint64_t *seqs, size_t n, const struct queue_reject *rejects,
    size_t n_rejects)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_list_key(q, "rejected");
	queue_call_consumer_key(q, consumer, "batches", NULL);
	queue_call_consumer_key(q, consumer, "last", NULL);
	queue_call_consumer_key(q, consumer, "none", NULL);
	queue_call_consumer_key(q, consumer, "batch::", NULL);
	resp_arg_u64(&q->args, n);
	for (size_t i = 0; i < n; i++)
		resp_arg_u64(&q->args, seqs[i]);
	for (size_t i = 0; i < n_rejects; i++) {
		resp_arg_u64(&q->args, rejects[i].seq);
		resp_arg_u64(&q->args, rejects[i].index);
	}
	return queue_call_eval(q, QUEUE_CALL_ACKNOWLEDGE, 4, NULL);
}

enum queue_state
queue_call_digest_acknowledge(struct queue *q, const struct redis_reply *reply)
{
	int64_t deleted = redis_reply_int(redis_reply_at(reply, 0), -1);
	int64_t last = redis_reply_int(redis_reply_at(reply, 1), -2);

	if (deleted < 0 || last < -1)
		return QUEUE_LOST;
	q->result.acknowledged = (struct queue_acknowledged){
	    .known = last >= 0, .last = last >= 0 ? (uint64_t)last : 0};
	return QUEUE_DONE;
}

const struct queue_acknowledged *
queue_acknowledged(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_ACKNOWLEDGE);
	return &q->result.acknowledged;
}
