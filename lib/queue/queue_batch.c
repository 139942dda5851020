/*
 * The calls about batches: take, read, acknowledge.
 *
 * In: a consumer and sequence numbers.  Out: payloads, oldest first.  Redis
 * owns them until they are acknowledged, whoever dies here.
 */
#include "queue/queue_call.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "queue/shards.h"

enum {
	PIECES_MS = 100, /* then other calls get their turn */
	PIECES_BYTES_MAX = REDIS_LARGE_BYTES /* of a batch, read or in pieces */
};

static enum queue_state digest(
    struct queue *q, const struct redis_reply *reply);
static int outcome(
    const struct redis_reply *reply, enum queue_take_outcome *ret);
static int take_times(
    const struct redis_reply *reply, bool is_read, struct queue_batch *b);
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
	queue_call_own_key(q, "totals");
	queue_call_guard_key(q);
	queue_call_id(q, consumer);
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, n);
	resp_arg_u64(&q->args, QUEUE_TAKE_BYTES);
	resp_arg_u64(&q->args, QUEUE_UNACKED_MAX);
	resp_arg_u64(&q->args, QUEUE_UNACKED_AGE_MS);
	resp_arg_text(&q->args, strict ? "1" : "");
	q->batch_of = *consumer;
	q->batch_seq = seq;
	q->batch_max = n;
	return queue_call_eval(q, QUEUE_CALL_TAKE, 10, NULL);
}

int
queue_read(struct queue *q, const struct id *consumer, uint64_t seq)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_consumer_key(q, consumer, "batches", NULL);
	queue_call_consumer_key(q, consumer, "last", NULL);
	queue_call_guard_key(q);
	queue_call_consumer_key(q, consumer, "shards", NULL);
	resp_arg_u64(&q->args, seq);
	q->batch_of = *consumer;
	q->batch_seq = seq;
	q->batch_max = QUEUE_BATCH_MAX;
	return queue_call_eval(q, QUEUE_CALL_READ, 4, NULL);
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
	struct queue_batch *b = &q->result.batch;

	*b = (struct queue_batch){.seq = q->batch_seq};
	if (outcome(reply, &b->outcome) < 0 ||
	    take_times(reply, q->call == QUEUE_CALL_READ, b) < 0)
		return QUEUE_LOST;
	if (b->outcome != QUEUE_TAKEN) {
		batch_pieces_clear(&q->pieces);
		return QUEUE_DONE;
	}
	q->pieces_ms = clock_ms();
	return FAILPOINT_AFTER("consume-list-sent", send_list(q)) == 0
		   ? QUEUE_CALLING
		   : QUEUE_LOST;
}

static int
outcome(const struct redis_reply *reply, enum queue_take_outcome *ret)
{
	static const char *const words[] = {[QUEUE_TAKEN] = "taken",
	    [QUEUE_EMPTY] = "empty",
	    [QUEUE_FULL] = "full",
	    [QUEUE_NOT_OWNER] = "notowner",
	    [QUEUE_UNMARKED] = "unmarked",
	    [QUEUE_GONE] = "gone"};
	size_t len;
	const char *word = redis_reply_text(redis_reply_at(reply, 0), &len);

	for (size_t i = 0; word != NULL && i < sizeof words / sizeof *words;
	     i++)
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum queue_take_outcome)i;
			return 0;
		}
	return -1;
}

/* When it was taken, and since when its payloads may have waited, which read
 * does not say, but how many shards its keys are judged by. */
static int
take_times(const struct redis_reply *reply, bool is_read, struct queue_batch *b)
{
	size_t n = redis_reply_count(reply);
	int64_t shards;

	if (b->outcome != QUEUE_TAKEN)
		return n == 1 ? 0 : -1;
	if (n < 2 || n > 3 ||
	    queue_call_number(
		reply, 1, 0, QUEUE_CALL_NUMBER_MAX, &b->taken_ms) < 0)
		return -1;
	b->since_ms = b->taken_ms;
	if (is_read) {
		if (n != 3 ||
		    queue_call_number(reply, 2, 0, SHARDS_MAX, &shards) < 0)
			return -1;
		b->shards = (unsigned)shards;
		return 0;
	}
	return n == 2
		   ? 0
		   : queue_call_number(reply, 2, 0, b->taken_ms, &b->since_ms);
}

static int
send_list(struct queue *q)
{
	reply_limit_begin(&q->limit, clock_ms());
	if (q->limit.bytes > 0) {
		batch_pieces_begin(&q->pieces, &q->batch_of, q->batch_seq);
		return queue_call_piece(q);
	}
	batch_pieces_clear(&q->pieces);
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

	b->n = redis_reply_count(reply);
	b->payloads = reply;
	if (!redis_reply_is_list(reply) || b->n > q->batch_max ||
	    !queue_call_are_texts(reply, 0))
		return QUEUE_LOST;
	if (b->n == 0)
		b->outcome = QUEUE_GONE;
	return QUEUE_DONE;
}

/* The same of a batch that is read in pieces.  Another length is that of
 * nothing, or of another batch: this one has gone. */
enum queue_state
queue_call_digest_piece(struct queue *q, const struct redis_reply *reply)
{
	struct queue_batch *b = &q->result.batch;
	struct batch_pieces *p = &q->pieces;
	uint64_t length =
	    (uint64_t)redis_reply_int(redis_reply_at(reply, 0), 0);
	size_t len, count = redis_reply_count(reply);

	if (length == 0 || (p->length != 0 && p->length != length) ||
	    p->n + count - 1 > length) {
		batch_pieces_clear(p);
		b->outcome = QUEUE_GONE;
		return QUEUE_DONE;
	}
	if (length > q->batch_max || (count == 1 && p->n < length))
		return QUEUE_LOST;
	p->length = length;
	for (size_t i = 1; i < count; i++) {
		const char *payload =
		    redis_reply_text(redis_reply_at(reply, i), &len);

		if (batch_pieces_add(p, payload, len) < 0 ||
		    p->text.len > PIECES_BYTES_MAX) {
			batch_pieces_clear(p);
			return QUEUE_LOST;
		}
	}
	if (p->n == length) {
		b->n = p->n;
		b->pieces = p;
		return QUEUE_DONE;
	}
	if (clock_ms() - q->pieces_ms >= PIECES_MS) {
		b->outcome = QUEUE_MORE;
		return QUEUE_DONE;
	}
	return queue_call_piece(q) == 0 ? QUEUE_CALLING : QUEUE_LOST;
}

const struct queue_batch *
queue_batch(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_TAKE || q->done == QUEUE_CALL_READ ||
	       q->done == QUEUE_CALL_LIST ||
	       (q->done == QUEUE_CALL_PEEK && q->in_pieces));
	return &q->result.batch;
}

/* The right end of the list is the oldest payload. */
const char *
queue_batch_payload(const struct queue_batch *b, size_t i, size_t *ret_len)
{
	if (b->pieces != NULL)
		return batch_pieces_payload(b->pieces, i, ret_len);
	return redis_reply_text(
	    redis_reply_at(b->payloads, b->n - 1 - i), ret_len);
}

int
queue_acknowledge(struct queue *q, const struct id *consumer,
    const struct queue_keep *keep, const uint64_t *seqs, size_t n,
    const struct queue_reject *rejects, size_t n_rejects)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_list_key(q, "rejected");
	queue_call_consumer_key(q, consumer, "batches", NULL);
	queue_call_consumer_key(q, consumer, "last", NULL);
	queue_call_consumer_key(q, consumer, "none", NULL);
	queue_call_consumer_key(q, consumer, "kept", NULL);
	queue_call_consumer_key(q, consumer, "acknowledged", NULL);
	queue_call_consumer_key(q, consumer, "restored", NULL);
	queue_call_own_key(q, "totals");
	queue_call_own_key(q, "kept::order");
	queue_call_own_key(q, "kept::size");
	queue_call_own_key(q, "rejected::times");
	for (size_t i = 0; i < n; i++)
		queue_call_consumer_key(q, consumer, "batch", &seqs[i]);
	queue_call_id(q, consumer);
	resp_arg_u64(&q->args, (uint64_t)keep->ms);
	queue_call_id(q, &keep->database);
	resp_arg_u64(&q->args, n);
	for (size_t i = 0; i < n; i++)
		resp_arg_u64(&q->args, seqs[i]);
	for (size_t i = 0; i < n_rejects; i++) {
		resp_arg_u64(&q->args, rejects[i].seq);
		resp_arg_u64(&q->args, rejects[i].index);
	}
	q->asked = n;
	return queue_call_eval(q, QUEUE_CALL_ACKNOWLEDGE, 11 + n, NULL);
}

enum queue_state
queue_call_digest_acknowledge(struct queue *q, const struct redis_reply *reply)
{
	int64_t deleted, last;

	if (redis_reply_count(reply) != 2 ||
	    queue_call_number(reply, 0, 0, (int64_t)q->asked, &deleted) < 0 ||
	    queue_call_number(reply, 1, -1, QUEUE_CALL_NUMBER_MAX, &last) < 0)
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
