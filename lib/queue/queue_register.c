/* The calls about a consumer's registration, ownership and flush mark:
 * register, renew, holders, mark, ask. */
#include "queue/queue_call.h"

#include <assert.h>

#include "queue/owner.h"
#include "queue/shards.h"

enum { HOLDERS_MAX = 1000 };

int
queue_register(struct queue *q, const struct id *consumer,
    const struct id *before, bool own)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_queues_key(q);
	queue_call_own_key(q, "consumers");
	queue_call_consumer_key(q, consumer, "owner", NULL);
	queue_call_consumer_key(q, consumer, "last", NULL);
	queue_call_own_key(q, "version");
	queue_call_own_key(q, "replicas");
	queue_call_consumer_key(
	    q, before == NULL ? consumer : before, "last", NULL);
	queue_call_own_key(q, "upgraded");
	queue_call_own_key(q, "shards");
	queue_call_consumer_key(q, consumer, "shards", NULL);
	queue_call_id(q, consumer);
	queue_call_record(q, consumer);
	queue_call_version(q);
	queue_call_told(q);
	resp_arg_text(&q->args, own ? "1" : "");
	return queue_call_eval(q, QUEUE_CALL_REGISTER, 10, NULL);
}

enum queue_state
queue_call_digest_register(struct queue *q, const struct redis_reply *reply)
{
	int64_t at_ms, last, shards;

	if (redis_reply_count(reply) != 3 ||
	    queue_call_number(reply, 0, 0, QUEUE_CALL_NUMBER_MAX, &at_ms) < 0 ||
	    queue_call_number(reply, 1, -1, QUEUE_CALL_NUMBER_MAX, &last) < 0 ||
	    queue_call_number(reply, 2, 0, SHARDS_MAX, &shards) < 0)
		return QUEUE_LOST;
	q->result.registered = (struct queue_registered){.at_ms = at_ms,
	    .shards = (unsigned)shards,
	    .known = last >= 0,
	    .last = last >= 0 ? (uint64_t)last : 0};
	return QUEUE_DONE;
}

const struct queue_registered *
queue_registered(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_REGISTER);
	return &q->result.registered;
}

static const char *const claims[] = {[QUEUE_RENEW_KEEP] = "",
    [QUEUE_RENEW_END] = "end",
    [QUEUE_RENEW_CLAIM] = "1"};

int
queue_renew(struct queue *q, const struct id *self, const struct id *consumers,
    size_t n, enum queue_renew_mode mode)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "consumers");
	queue_call_consumer_key(q, self, "flush", NULL);
	queue_call_guard_key(q);
	for (size_t i = 0; i < n; i++) {
		queue_call_consumer_key(q, &consumers[i], "owner", NULL);
		queue_call_consumer_key(q, &consumers[i], "batches", NULL);
		queue_call_consumer_key(q, &consumers[i], "closed", NULL);
	}
	queue_call_id(q, self);
	if (mode == QUEUE_RENEW_END)
		queue_call_ended_record(q, self);
	else
		queue_call_record(q, self);
	resp_arg_text(&q->args, claims[mode]);
	for (size_t i = 0; i < n; i++)
		queue_call_id(q, &consumers[i]);
	q->asked = n;
	return queue_call_eval(q, QUEUE_CALL_RENEW, 3 + 3 * n, NULL);
}

enum queue_state
queue_call_digest_renew(struct queue *q, const struct redis_reply *reply)
{
	size_t n = redis_reply_count(reply);
	int64_t one;

	if (!redis_reply_is_list(reply) || n != q->asked)
		return QUEUE_LOST;
	for (size_t i = 0; i < n; i++)
		if (queue_call_number(reply, i, 0, 2, &one) < 0)
			return QUEUE_LOST;
	q->result.renewed = (struct queue_renewed){.consumers = reply};
	return QUEUE_DONE;
}

const struct queue_renewed *
queue_renewed(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_RENEW);
	return &q->result.renewed;
}

enum queue_ownership
queue_renewed_is(const struct queue_renewed *r, size_t i)
{
	switch (redis_reply_int(redis_reply_at(r->consumers, i), 0)) {
	case 1: return QUEUE_OWNED;
	case 2: return QUEUE_OWNED_BARE;
	}
	return QUEUE_DISOWNED;
}

static int
send_holders(struct queue *q)
{
	static const char *const rests[] = {"owner", "batches", "flush"};
	size_t n;

	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "consumers");
	queue_call_guard_key(q);
	n = queue_members_keys(q, rests, 3);
	queue_call_id(q, &q->holders_self);
	resp_arg_u64(&q->args, HOLDERS_MAX);
	queue_members_ids(q);
	return queue_call_eval(q, QUEUE_CALL_HOLDERS, 2 + n, NULL);
}

int
queue_holders(struct queue *q, const struct id *self)
{
	q->members.rounds = 0;
	q->holders_self = *self;
	return send_holders(q);
}

enum queue_state
queue_call_digest_holders(struct queue *q, const struct redis_reply *reply)
{
	if (queue_members_changed(reply))
		return queue_call_with_members(q, reply, send_holders);
	if (!queue_call_are_rows(reply, 2, HOLDERS_MAX, -QUEUE_CALL_NUMBER_MAX))
		return QUEUE_LOST;
	q->result.holders = (struct queue_holders){
	    .n = redis_reply_count(reply) / 2, .list = reply};
	return QUEUE_DONE;
}

const struct queue_holders *
queue_holders_found(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_HOLDERS);
	return &q->result.holders;
}

int
queue_holder(const struct queue_holders *h, size_t i, struct id *ret_consumer,
    int64_t *ret_life_ms)
{
	size_t len;
	const char *id = redis_reply_text(redis_reply_at(h->list, 2 * i), &len);

	if (id == NULL || id_parse(id, len, ret_consumer) < 0)
		return -1;
	*ret_life_ms = redis_reply_int(redis_reply_at(h->list, 2 * i + 1), -1);
	return 0;
}

int
queue_mark(struct queue *q, const struct id *consumer, int64_t life_ms)
{
	char record[OWNER_RECORD_MAX];

	if (!queue_call_start(q))
		return -1;
	owner_record(consumer, record);
	queue_call_own_key(q, "consumers");
	queue_call_consumer_key(q, consumer, "flush", NULL);
	queue_call_consumer_key(q, consumer, "last", NULL);
	queue_call_guard_key(q);
	queue_call_id(q, consumer);
	resp_arg_text(&q->args, record);
	resp_arg_u64(&q->args, (uint64_t)life_ms);
	return queue_call_eval(q, QUEUE_CALL_MARK, 4, NULL);
}

enum queue_state
queue_call_digest_mark(struct queue *q, const struct redis_reply *reply)
{
	int64_t made = redis_reply_int(reply, -2);

	if (made < -1 || made > 1)
		return QUEUE_LOST;
	q->result.marked =
	    (struct queue_marked){.registered = made == 1, .known = made >= 0};
	return QUEUE_DONE;
}

const struct queue_marked *
queue_marked(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_MARK);
	return &q->result.marked;
}

int
queue_ask(struct queue *q, const struct id *consumer)
{
	if (!queue_call_start(q))
		return -1;
	resp_arg_text(&q->args, "SISMEMBER");
	queue_call_own_key(q, "consumers");
	queue_call_id(q, consumer);
	return queue_call_command(q, QUEUE_CALL_ASK);
}

enum queue_state
queue_call_digest_ask(struct queue *q, const struct redis_reply *reply)
{
	int64_t found = redis_reply_int(reply, -1);

	if (found < 0 || found > 1)
		return QUEUE_LOST;
	q->result.asked = (struct queue_asked){.registered = found == 1};
	return QUEUE_DONE;
}

const struct queue_asked *
queue_asked(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_ASK);
	return &q->result.asked;
}
