/*
 * Batches: taken, read, acknowledged.
 *
 * In: a consumer and sequence numbers.  Out: payloads, oldest first.  They
 * belong to Redis until they are acknowledged, whoever dies here.
 */
#include "queue/queue_call.h"

#include <string.h>

#include "base/failpoint.h"

static int send_list(struct queue *q);
static enum queue_taken taken(const struct redis_reply *reply);

int
queue_take(struct queue *q, const struct id *consumer, uint64_t seq, uint64_t n)
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
	queue_call_id(q, consumer);
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, n);
	resp_arg_u64(&q->args, QUEUE_TAKE_BYTES);
	resp_arg_u64(&q->args, QUEUE_UNACKED_MAX);
	resp_arg_u64(&q->args, QUEUE_UNACKED_AGE_MS);
	q->batch = (struct queue_batch){.seq = seq};
	q->batch_of = *consumer;
	return queue_call_eval(q, QUEUE_CALL_TAKE, 7);
}

enum queue_taken
queue_taken(const struct queue *q)
{
	return q->taken;
}

struct queue_batch
queue_batch(const struct queue *q)
{
	return q->batch;
}

const char *
queue_payload(const struct queue *q, size_t i, size_t *ret_len)
{
	const struct redis_reply *list = session_reply(q->session);

	return redis_reply_text(
	    redis_reply_at(list, q->batch.n - 1 - i), ret_len);
}

int
queue_read(struct queue *q, const struct id *consumer, uint64_t seq)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_consumer_key(q, consumer, "batches", NULL);
	queue_call_consumer_key(q, consumer, "batch", &seq);
	resp_arg_u64(&q->args, seq);
	q->batch = (struct queue_batch){.seq = seq};
	q->batch_of = *consumer;
	return queue_call_eval(q, QUEUE_CALL_READ, 2);
}

/* Of a batch that is there, the list is asked for by the same call. */
enum queue_state
queue_call_digest_batch(struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	q->taken = taken(reply);
	if (redis_reply_count(reply) > 0 && q->taken != QUEUE_TAKEN)
		return QUEUE_DONE;
	q->batch.taken_ms = redis_reply_int(redis_reply_at(reply, 1), 0);
	q->batch.since_ms =
	    redis_reply_int(redis_reply_at(reply, 2), q->batch.taken_ms);
	if (redis_reply_count(reply) > 0 &&
	    FAILPOINT_AFTER("consume-list-sent", send_list(q)) == 0)
		return QUEUE_CALLING;
	session_hang_up(q->session);
	return QUEUE_LOST;
}

static enum queue_taken
taken(const struct redis_reply *reply)
{
	static const char *const words[] = {[QUEUE_TAKEN] = "taken",
	    [QUEUE_EMPTY] = "empty",
	    [QUEUE_FULL] = "full",
	    [QUEUE_NOT_OWNER] = "notowner"};
	size_t len;
	const char *word = redis_reply_text(redis_reply_at(reply, 0), &len);

	for (int i = 0; word != NULL && i < QUEUE_GONE; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum queue_taken)i;
	return QUEUE_GONE;
}

static int
send_list(struct queue *q)
{
	if (!queue_call_start(q))
		return -1;
	resp_arg_text(&q->args, "LRANGE");
	queue_call_consumer_key(q, &q->batch_of, "batch", &q->batch.seq);
	resp_arg_text(&q->args, "0");
	resp_arg_text(&q->args, "-1");
	q->call = QUEUE_CALL_LIST;
	return session_command(q->session, &q->args);
}

/* The right end is the oldest.  Without payloads the batch has gone between
 * the two replies: adopted meanwhile, counted, acknowledged. */
bool
queue_call_digest_list(struct queue *q)
{
	const struct redis_reply *list = session_reply(q->session);
	size_t len;

	q->batch.n = redis_reply_count(list);
	for (size_t i = 0; i < q->batch.n; i++)
		if (redis_reply_text(redis_reply_at(list, i), &len) == NULL)
			return false;
	if (q->batch.n == 0)
		q->taken = QUEUE_GONE;
	return true;
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
	queue_call_consumer_key(q, consumer, "batch::", NULL);
	resp_arg_u64(&q->args, n);
	for (size_t i = 0; i < n; i++)
		resp_arg_u64(&q->args, seqs[i]);
	for (size_t i = 0; i < n_rejects; i++) {
		resp_arg_u64(&q->args, rejects[i].seq);
		resp_arg_u64(&q->args, rejects[i].index);
	}
	return queue_call_eval(q, QUEUE_CALL_ACKNOWLEDGE, 2);
}
