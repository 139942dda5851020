/* The calls of a publisher: introduce and publish, and the lines they carry. */
#include "queue/queue_call.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "queue/shards.h"
#include "redis/msgpack.h"

enum {
	INDEXES = 3 /* elements of the reply to publish before those */
};

static void add_marks(struct queue *q, const struct queue_sending *sending);
static bool has_index(const struct redis_reply *reply, int64_t index);

void
queue_before_add(struct queue_before *b, const struct id *id, uint64_t from)
{
	if (b->n < QUEUE_BEFORE_MAX)
		b->n++;
	memmove(b->ids + 1, b->ids, (b->n - 1) * sizeof *b->ids);
	b->ids[0] = (struct queue_before_id){*id, from, b->at_ms};
}

int
queue_introduce(struct queue *q, const struct id *publisher,
    const struct queue_before *before)
{
	bool here = before->run == queue_status(q)->run;
	size_t n = here && before->n > 1 ? 1 : before->n;

	if (!queue_call_start(q))
		return -1;
	queue_call_publisher_key(q, publisher, "");
	queue_call_own_key(q, "version");
	queue_call_own_key(q, "replicas");
	queue_call_own_key(q, "totals");
	queue_call_own_key(q, "upgraded");
	queue_call_queues_key(q);
	for (size_t i = 0; i < n; i++)
		queue_call_publisher_key(q, &before->ids[i].id, "");
	resp_arg_u64(&q->args, QUEUE_PUBLISHER_S);
	queue_call_version(q);
	queue_call_told(q);
	resp_arg_u64(&q->args, before->pushed);
	for (size_t i = 0; i < n; i++) {
		const struct queue_before_id *b = &before->ids[i];

		resp_arg_u64(&q->args, (uint64_t)b->at_ms);
		resp_arg_u64(&q->args, here ? before->pushed : b->from);
	}
	q->asked = before->pushed;
	return queue_call_eval(q, QUEUE_CALL_INTRODUCE, 6 + n, NULL);
}

enum queue_state
queue_call_digest_introduce(struct queue *q, const struct redis_reply *reply)
{
	int64_t done, at_ms, lacks, both_ms;

	if (redis_reply_count(reply) != 4 ||
	    queue_call_number(reply, 0, 0, 1, &done) < 0 ||
	    queue_call_number(reply, 1, 0, QUEUE_CALL_NUMBER_MAX, &at_ms) < 0 ||
	    queue_call_number(reply, 2, 0, (int64_t)q->asked, &lacks) < 0 ||
	    queue_call_number(reply, 3, 0, QUEUE_CALL_NUMBER_MAX, &both_ms) < 0)
		return QUEUE_LOST;
	q->both_until_ms = (uint64_t)both_ms;
	q->result.introduced = (struct queue_introduced){
	    .is_new = done == 1, .at_ms = at_ms, .lacks = (uint64_t)lacks};
	return QUEUE_DONE;
}

const struct queue_introduced *
queue_introduced(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_INTRODUCE);
	return &q->result.introduced;
}

int
queue_shards(struct queue *q, unsigned told)
{
	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "shards");
	queue_call_own_key(q, "version");
	resp_arg_u64(&q->args, told);
	q->asked = told;
	return queue_call_eval(q, QUEUE_CALL_SHARDS, 2, NULL);
}

enum queue_state
queue_call_digest_shards(struct queue *q, const struct redis_reply *reply)
{
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	uint64_t n;

	if (text == NULL || strlen(text) != len ||
	    num_u64(text, q->asked > 0, SHARDS_MAX, &n) < 0)
		return QUEUE_LOST;
	q->result.shards = (unsigned)n;
	return QUEUE_DONE;
}

unsigned
queue_sharded(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_SHARDS);
	return q->result.shards;
}

int
queue_publish(struct queue *q, const struct id *publisher, uint64_t seq,
    const struct queue_lines *lines, const struct queue_terms *terms)
{
	struct queue_sending s = {*publisher, seq, lines, *terms};

	if (lines->n == 0 || !queue_call_start(q))
		return -1;
	return queue_call_can_admit(q, &s) ? queue_call_admit(q, &s)
					   : queue_call_publish(q, &s);
}

int
queue_call_publish(struct queue *q, const struct queue_sending *sending)
{
	const struct queue_lines *lines = sending->lines;
	size_t keys = 4;

	queue_call_list_key(q, "ready");
	queue_call_queues_key(q);
	queue_call_publisher_key(q, &sending->publisher, "");
	queue_call_own_key(q, "totals");
	if (lines->tags > 0) {
		queue_call_own_key(q, "marks::"); /* nobody has that one */
		queue_call_own_key(q, "marks::turn");
		if (mark_groups_make(
			&q->groups, q, lines, q->both_until_ms > 0) < 0)
			return -1;
		keys += 2 + q->groups.n_keys;
	}
	queue_call_terms(q, sending);
	if (lines->tags > 0)
		add_marks(q, sending);
	resp_args_behind(&q->args, lines->n);
	q->asked = lines->n;
	if (sending != &q->sending)
		q->sending = *sending;
	return queue_call_eval(q, QUEUE_CALL_PUBLISH, keys, &lines->resp);
}

void
queue_call_terms(struct queue *q, const struct queue_sending *sending)
{
	resp_arg_u64(&q->args, sending->seq);
	resp_arg_u64(&q->args, QUEUE_PUBLISHER_S);
	queue_call_name(q);
	resp_arg_u64(&q->args, sending->terms.high_water);
	resp_arg_u64(&q->args, sending->terms.not_after_ms);
	resp_arg_u64(&q->args, sending->terms.name);
}

static void
add_marks(struct queue *q, const struct queue_sending *sending)
{
	const struct mark_groups *g = &q->groups;
	unsigned char head[MSGPACK_HEAD];

	/* A mark outlives every sending that could push its line again. */
	resp_arg_u64(&q->args, sending->terms.window_s + QUEUE_NOT_AFTER_S);
	resp_arg_u64(&q->args, q->both_until_ms);
	resp_arg(&q->args, buf_ptr(&g->text), g->text.len);
	msgpack_head((uint32_t)(3 * sending->lines->tags), head);
	resp_arg_two(&q->args, head, MSGPACK_HEAD, &g->packed);
}

enum queue_state
queue_call_digest_publish(struct queue *q, const struct redis_reply *reply)
{
	enum queue_publish_outcome outcome;
	int64_t at_ms, pushed, n = (int64_t)q->asked;

	if (queue_call_number(reply, 1, 0, QUEUE_CALL_NUMBER_MAX, &at_ms) < 0 ||
	    queue_call_number(reply, 2, 0, QUEUE_CALL_NUMBER_MAX, &pushed) <
		0 ||
	    !queue_call_ascend(reply, INDEXES, -n, n - 1))
		return QUEUE_LOST;
	/* The keys of those marks are a fifth of what a line costs Redis. */
	if ((uint64_t)at_ms > q->both_until_ms)
		q->both_until_ms = 0;
	switch (redis_reply_int(redis_reply_at(reply, 0), -1)) {
	case 0: outcome = QUEUE_GAP; break;
	case 1: outcome = QUEUE_PUSHED; break;
	case 2: outcome = QUEUE_BEFORE; break;
	case 3: outcome = QUEUE_HIGH; break;
	case 4: outcome = QUEUE_OOM; break;
	case 5: outcome = QUEUE_LATE; break;
	case 6: outcome = QUEUE_OTHER; break;
	default: return QUEUE_LOST;
	}
	q->result.published =
	    (struct queue_published){outcome, at_ms, (uint64_t)pushed, reply};
	return QUEUE_DONE;
}

const struct queue_published *
queue_published(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_PUBLISH || q->done == QUEUE_CALL_ADMIT);
	return &q->result.published;
}

/* The least index is that of a line that was pushed before, if one was. */
bool
queue_published_any(const struct queue_published *p)
{
	return p->outcome == QUEUE_PUSHED || p->outcome == QUEUE_BEFORE ||
	       redis_reply_int(redis_reply_at(p->lines, INDEXES), 0) < 0;
}

bool
queue_published_reused(const struct queue_published *p, size_t i)
{
	return has_index(p->lines, (int64_t)i);
}

/* The reply's indexes ascend. */
bool
queue_published_any_reused(const struct queue_published *p)
{
	size_t n = redis_reply_count(p->lines);

	return n > INDEXES &&
	       redis_reply_int(redis_reply_at(p->lines, n - 1), -1) >= 0;
}

bool
queue_published_known(const struct queue_published *p, size_t i)
{
	return has_index(p->lines, -1 - (int64_t)i);
}

/* The reply's indexes ascend. */
static bool
has_index(const struct redis_reply *reply, int64_t index)
{
	size_t low = INDEXES, high = redis_reply_count(reply);

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
