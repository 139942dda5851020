/* The calls about a ledger that went back: numbers, restore. */
#include "queue/queue_call.h"

#include <assert.h>
#include <string.h>

int
queue_numbers(struct queue *q, const struct id *after)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "consumers");
	queue_call_own_key(q, "consumer::");
	queue_call_id(q, after);
	resp_arg_u64(&q->args, QUEUE_NUMBERS_MAX);
	return queue_call_eval(q, QUEUE_CALL_NUMBERS, 1, NULL);
}

enum queue_state
queue_call_digest_numbers(struct queue *q, const struct redis_reply *reply)
{
	size_t count = redis_reply_count(reply), len;
	int64_t number;

	if (!redis_reply_is_list(reply) || count % 3 != 0 ||
	    count > 3 * (size_t)QUEUE_NUMBERS_MAX)
		return QUEUE_LOST;
	for (size_t i = 0; i < count; i += 3)
		if (redis_reply_text(redis_reply_at(reply, i), &len) == NULL ||
		    queue_call_number(
			reply, i + 1, 0, QUEUE_CALL_NUMBER_MAX, &number) < 0 ||
		    queue_call_number(
			reply, i + 2, 0, QUEUE_CALL_NUMBER_MAX, &number) < 0)
			return QUEUE_LOST;
	q->result.numbered =
	    (struct queue_numbered){.n = count / 3, .list = reply};
	return QUEUE_DONE;
}

const struct queue_numbered *
queue_numbered(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_NUMBERS);
	return &q->result.numbered;
}

int
queue_numbered_at(const struct queue_numbered *l, size_t i,
    struct id *ret_consumer, struct queue_number *ret_number)
{
	size_t len;
	const char *id = redis_reply_text(redis_reply_at(l->list, 3 * i), &len);
	int64_t last = redis_reply_int(redis_reply_at(l->list, 3 * i + 1), -1);
	int64_t closed =
	    redis_reply_int(redis_reply_at(l->list, 3 * i + 2), -1);
	struct id consumer;

	if (id == NULL || last < 0 || closed < 0 ||
	    id_parse(id, len, &consumer) < 0)
		return -1;
	*ret_consumer = consumer;
	*ret_number = (struct queue_number){(uint64_t)last, (uint64_t)closed};
	return 0;
}

int
queue_restore(struct queue *q, const struct queue_restore *r)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "consumers");
	queue_call_consumer_key(q, &r->consumer, "owner", NULL);
	queue_call_consumer_key(q, &r->consumer, "batches", NULL);
	queue_call_consumer_key(q, &r->consumer, "kept", NULL);
	queue_call_consumer_key(q, &r->consumer, "acknowledged", NULL);
	queue_call_consumer_key(q, &r->consumer, "restored", NULL);
	queue_call_consumer_key(q, &r->consumer, "closed", NULL);
	queue_call_own_key(q, "totals");
	queue_call_id(q, &r->consumer);
	queue_call_consumer_key(q, &r->consumer, "batch::", NULL);
	resp_arg_u64(&q->args, r->row);
	queue_call_id(q, &r->database);
	resp_arg_u64(&q->args, r->known);
	queue_call_id(q, &r->speaker);
	if (r->looked) {
		resp_arg_u64(&q->args, r->seen.last);
		resp_arg_u64(&q->args, r->seen.closed);
	} else {
		resp_arg_text(&q->args, "");
		resp_arg_text(&q->args, "");
	}
	return queue_call_eval(q, QUEUE_CALL_RESTORE, 8, NULL);
}

enum queue_state
queue_call_digest_restore(struct queue *q, const struct redis_reply *reply)
{
	uint64_t n[4];
	size_t len;
	const char *word = redis_reply_text(redis_reply_at(reply, 0), &len);

	if (redis_reply_count(reply) == 1 && word != NULL &&
	    strcmp(word, "changed") == 0) {
		q->result.restored = (struct queue_restored){.changed = true};
		return QUEUE_DONE;
	}
	if (redis_reply_count(reply) != 4)
		return QUEUE_LOST;
	for (size_t i = 0; i < 4; i++) {
		int64_t one;

		if (queue_call_number(
			reply, i, 0, QUEUE_CALL_NUMBER_MAX, &one) < 0)
			return QUEUE_LOST;
		n[i] = (uint64_t)one;
	}
	q->result.restored = (struct queue_restored){
	    .moved = n[0], .oldest = n[1], .lost = n[2], .back = n[3]};
	return QUEUE_DONE;
}

const struct queue_restored *
queue_restored(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_RESTORE);
	return &q->result.restored;
}
