/*
 * The calls that inspect a queue: measure, peek, survey; and withdraw, which
 * takes dead letters out of the rejected list, or labels them.
 *
 * In: places and payloads as they were seen.  Out: payloads, numbers.  A
 * payload is in one list at every moment, whoever dies here.
 */
#include "queue/queue_call.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"

enum {
	MARK_MAX = ID_TEXT + 40,
	SURVEYED_AHEAD_MAX = 1024, /* batches named before they are there */
	SURVEYED_HEAD = 5, /* elements of a survey before the consumers */
	HELD_HEAD = 2      /* of a consumer before its batches */
};

int
queue_repeat(struct queue *q)
{
	if (q->call == QUEUE_CALL_PEEK)
		return queue_peek(q, &q->peek.list, q->peek.older, q->peek.n);
	if (q->call == QUEUE_CALL_SURVEY)
		return queue_survey(q, q->survey.ready, q->survey.rejected);
	if (q->call == QUEUE_CALL_PUBLISH)
		return queue_call_start(q) ? queue_call_publish(q, &q->sending)
					   : -1;
	return queue_call_again(q);
}

/* Two arguments: as many payloads, and their bytes, as a reply may have; but
 * `least` payloads. */
static void
limit(struct queue *q, uint64_t n, uint64_t least)
{
	uint64_t bytes = QUEUE_PEEK_BYTES;

	reply_limit_begin(&q->limit, clock_ms());
	if (q->limit.bytes > 0 && q->limit.bytes < bytes)
		bytes = q->limit.bytes;
	if (n > QUEUE_PEEK_MAX)
		n = QUEUE_PEEK_MAX;
	if (q->limit.single && n > least)
		n = least;
	resp_arg_u64(&q->args, n);
	resp_arg_u64(&q->args, bytes);
	q->asked = n;
}

/* -- measure -------------------------------------------------------------- */

static int
send_measure(struct queue *q)
{
	static const char *const rests[] = {"batches"};
	size_t n;

	if (!queue_call_start(q))
		return -1;
	queue_call_list_key(q, "ready");
	queue_call_list_key(q, "rejected");
	queue_call_own_key(q, "consumers");
	queue_call_own_key(q, "totals");
	queue_call_own_key(q, "emptied");
	queue_call_guard_key(q);
	n = queue_members_keys(q, rests, 1);
	queue_members_ids(q);
	return queue_call_eval(q, QUEUE_CALL_MEASURE, 6 + n, NULL);
}

int
queue_measure(struct queue *q)
{
	q->members.rounds = 0;
	return send_measure(q);
}

enum queue_state
queue_call_digest_measure(struct queue *q, const struct redis_reply *reply)
{
	int64_t n[7];

	if (queue_members_changed(reply))
		return queue_call_with_members(q, reply, send_measure);
	if (redis_reply_count(reply) != 7)
		return QUEUE_LOST;
	for (size_t i = 0; i < 7; i++)
		if (queue_call_number(
			reply, i, 0, QUEUE_CALL_NUMBER_MAX, &n[i]) < 0)
			return QUEUE_LOST;
	q->result.lengths = (struct queue_lengths){.ready = (uint64_t)n[0],
	    .unacked = (uint64_t)n[1],
	    .rejected = (uint64_t)n[2],
	    .at_ms = n[3],
	    .taken = (uint64_t)n[4],
	    .emptied_ms = n[5],
	    .batch_ms = n[6]};
	return QUEUE_DONE;
}

const struct queue_lengths *
queue_lengths(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_MEASURE);
	return &q->result.lengths;
}

/* -- peek ----------------------------------------------------------------- */

int
queue_peek(
    struct queue *q, const struct queue_list *list, uint64_t older, uint64_t n)
{
	if (!queue_call_start(q))
		return -1;
	q->in_pieces = false;
	q->peek.list = *list;
	q->peek.older = older;
	q->peek.n = n;
	switch (list->kind) {
	case QUEUE_READY: queue_call_list_key(q, "ready"); break;
	case QUEUE_REJECTED: queue_call_list_key(q, "rejected"); break;
	case QUEUE_BATCH:
		queue_call_consumer_key(
		    q, &list->consumer, "batch", &list->seq);
		break;
	}
	if (list->timed)
		queue_call_own_key(q, "rejected::times");
	resp_arg_u64(&q->args, older);
	limit(q, n, 2);
	return queue_call_eval(q, QUEUE_CALL_PEEK, list->timed ? 2 : 1, NULL);
}

int
queue_call_piece(struct queue *q)
{
	if (!queue_call_start(q))
		return -1;
	q->in_pieces = true;
	queue_call_consumer_key(q, &q->batch_of, "batch", &q->batch_seq);
	resp_arg_u64(&q->args, q->pieces.n);
	limit(q, QUEUE_PEEK_MAX, 1);
	return queue_call_eval(q, QUEUE_CALL_PEEK, 1, NULL);
}

/* Are the n behind the first one texts? */
static bool
are_payloads(const struct redis_reply *reply, uint64_t n)
{
	size_t len;

	for (size_t i = 1; i <= n; i++)
		if (redis_reply_text(redis_reply_at(reply, i), &len) == NULL)
			return false;
	return true;
}

/* Are they n times, each a number? */
static bool
are_times(const struct redis_reply *times, uint64_t n)
{
	int64_t ms;

	if (!redis_reply_is_list(times) || redis_reply_count(times) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (queue_call_number(times, i, 0, QUEUE_CALL_NUMBER_MAX, &ms) <
		    0)
			return false;
	return true;
}

enum queue_state
queue_call_digest_peek(struct queue *q, const struct redis_reply *reply)
{
	bool timed = !q->in_pieces && q->peek.list.timed;
	uint64_t older = q->in_pieces ? q->pieces.n : q->peek.older, n;
	const struct redis_reply *times = NULL;
	int64_t length;

	n = redis_reply_count(reply);
	if (n < (timed ? 2 : 1) ||
	    queue_call_number(reply, 0, 0, QUEUE_CALL_NUMBER_MAX, &length) < 0)
		return QUEUE_LOST;
	n -= timed ? 2 : 1;
	if (timed)
		times = redis_reply_at(reply, 1 + n);
	if (!are_payloads(reply, n) || (timed && !are_times(times, n)))
		return QUEUE_LOST;
	if (n > q->asked || (n > 0 && (older > (uint64_t)length ||
					  n > (uint64_t)length - older)))
		return QUEUE_LOST;
	if (q->in_pieces)
		return queue_call_digest_piece(q, reply);
	q->result.peeked = (struct queue_peeked){.length = (uint64_t)length,
	    .n = n,
	    .payloads = reply,
	    .times = times};
	return QUEUE_DONE;
}

const struct queue_peeked *
queue_peeked(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_PEEK && !q->in_pieces);
	return &q->result.peeked;
}

const char *
queue_peeked_payload(const struct queue_peeked *p, size_t i, size_t *ret_len)
{
	return redis_reply_text(redis_reply_at(p->payloads, 1 + i), ret_len);
}

int64_t
queue_peeked_ms(const struct queue_peeked *p, size_t i)
{
	return redis_reply_int(redis_reply_at(p->times, i), 0);
}

/* -- withdraw ------------------------------------------------------------- */

int
queue_withdraw(struct queue *q, const struct id *withdrawer, uint64_t seq,
    uint64_t older, const struct queue_picks *picks)
{
	const struct queue_peeked *peeked = queue_peeked(q);
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
	queue_call_own_key(q, "totals");
	queue_call_own_key(q, "rejected::times");
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, QUEUE_WITHDRAWER_S);
	resp_arg_text(&q->args, mark);
	resp_arg_u64(&q->args, older);
	for (size_t i = 0; i < picks->n; i++) {
		payload = queue_peeked_payload(peeked, picks->index[i], &len);
		if (payload == NULL)
			return -1;
		resp_arg_u64(&q->args, picks->index[i]);
		resp_arg(&q->args, payload, len);
		resp_arg_text(&q->args, picks->to[i]);
	}
	q->asked = picks->n;
	return queue_call_eval(q, QUEUE_CALL_WITHDRAW, 6, NULL);
}

enum queue_state
queue_call_digest_withdraw(struct queue *q, const struct redis_reply *reply)
{
	int64_t n = redis_reply_int(reply, -2);

	if (n < -1 || n > (int64_t)q->asked)
		return QUEUE_LOST;
	q->result.withdrawn = (struct queue_withdrawn){
	    .known = n >= 0, .n = n >= 0 ? (uint64_t)n : 0};
	return QUEUE_DONE;
}

const struct queue_withdrawn *
queue_withdrawn(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_WITHDRAW);
	return &q->result.withdrawn;
}

/* -- survey --------------------------------------------------------------- */

/* Element i of 'again', one consumer: its id, or -1 if it is none. */
static int
surveyed_member(
    const struct redis_reply *again, size_t i, struct id *ret_consumer)
{
	size_t len;
	const char *id =
	    redis_reply_text(redis_reply_at(redis_reply_at(again, i), 0), &len);

	return id == NULL ? -1 : id_parse_lower(id, len, ret_consumer);
}

/* How many batches of it are named: those that it has, and those that it may
 * take before the next round, twice as many in each. */
static size_t
surveyed_named(const struct queue *q, const struct redis_reply *one)
{
	size_t count = redis_reply_count(one);

	if (count < HELD_HEAD)
		return 0;
	return count - HELD_HEAD +
	       num_min_size(SURVEYED_AHEAD_MAX, (size_t)2 << q->members.rounds);
}

/* Number i of them. */
static uint64_t
surveyed_seq(const struct redis_reply *one, size_t i)
{
	size_t has = redis_reply_count(one) - HELD_HEAD;

	return i < has ? (uint64_t)redis_reply_int(
			     redis_reply_at(one, HELD_HEAD + i), 0)
		       : (uint64_t)redis_reply_int(redis_reply_at(one, 1), 0) +
			     1 + (i - has);
}

/* The keys of the consumers that `again` lists.  Returns how many. */
static size_t
surveyed_keys(struct queue *q, const struct redis_reply *again)
{
	struct id id;
	size_t n = 0;

	for (size_t i = 1; i < redis_reply_count(again); i++) {
		const struct redis_reply *one = redis_reply_at(again, i);
		size_t lists = surveyed_named(q, one);

		if (surveyed_member(again, i, &id) < 0)
			continue;
		queue_call_consumer_key(q, &id, "last", NULL);
		queue_call_consumer_key(q, &id, "batches", NULL);
		for (size_t j = 0; j < lists; j++) {
			uint64_t seq = surveyed_seq(one, j);

			queue_call_consumer_key(q, &id, "batch", &seq);
		}
		n += 2 + lists;
	}
	return n;
}

static void
surveyed_words(struct queue *q, const struct redis_reply *again)
{
	struct id id;

	for (size_t i = 1; i < redis_reply_count(again); i++) {
		const struct redis_reply *one = redis_reply_at(again, i);
		size_t lists = surveyed_named(q, one);

		if (surveyed_member(again, i, &id) < 0)
			continue;
		queue_call_id(q, &id);
		resp_arg_u64(&q->args, lists);
		for (size_t j = 0; j < lists; j++)
			resp_arg_u64(&q->args, surveyed_seq(one, j));
	}
}

/* again: the reply that said whose keys are needed, or NULL. */
static int
send_survey(struct queue *q, const struct redis_reply *again)
{
	size_t n;

	if (!queue_call_start(q))
		return -1;
	queue_call_list_key(q, "ready");
	queue_call_list_key(q, "rejected");
	queue_call_own_key(q, "consumers");
	queue_call_own_key(q, "totals");
	queue_call_own_key(q, "database");
	queue_call_guard_key(q);
	n = surveyed_keys(q, again);
	resp_arg_u64(&q->args, q->survey.ready);
	resp_arg_u64(&q->args, q->survey.rejected);
	limit(q, QUEUE_PEEK_MAX, 1);
	surveyed_words(q, again);
	return queue_call_eval(q, QUEUE_CALL_SURVEY, 6 + n, NULL);
}

int
queue_survey(struct queue *q, uint64_t ready, uint64_t rejected)
{
	q->members.rounds = 0;
	q->survey.ready = ready;
	q->survey.rejected = rejected;
	return send_survey(q, NULL);
}

/* Element 2 of a survey: whether the base is known, base, acknowledged, missed,
 * and the database.  0, or -1. */
static int
digest_totals(const struct redis_reply *reply, struct queue_totals *ret)
{
	int64_t n[4];
	size_t len;
	const char *id = redis_reply_text(redis_reply_at(reply, 4), &len);
	struct id database;

	for (size_t i = 0; i < 4; i++)
		if (queue_call_number(reply, i, -QUEUE_CALL_NUMBER_MAX,
			QUEUE_CALL_NUMBER_MAX, &n[i]) < 0)
			return -1;
	if (redis_reply_count(reply) != 5 || n[3] < 0 || id == NULL)
		return -1;
	if (id_parse(id, len, &database) < 0)
		database = (struct id){0};
	*ret = (struct queue_totals){.known = n[0] == 1,
	    .base = n[1],
	    .acknowledged = n[2],
	    .missed = (uint64_t)n[3],
	    .database = database};
	return 0;
}

/* A text, a number, and two numbers for each batch.  *left bounds the sum of
 * the first and of the lengths, and is less by them then. */
static bool
is_held(const struct redis_reply *one, int64_t *left)
{
	size_t count = redis_reply_count(one), len;
	int64_t n;

	if (count < HELD_HEAD || count % 2 != 0 ||
	    redis_reply_text(redis_reply_at(one, 0), &len) == NULL)
		return false;
	for (size_t i = 1; i < count; i++)
		if (queue_call_number(one, i, 0,
			i % 2 == 0 ? QUEUE_CALL_NUMBER_MAX : *left, &n) < 0)
			return false;
		else if (i % 2 != 0)
			*left -= n;
	return true;
}

enum queue_state
queue_call_digest_survey(struct queue *q, const struct redis_reply *reply)
{
	struct queue_totals totals;
	int64_t n[2], left = QUEUE_CALL_NUMBER_MAX;

	if (queue_members_changed(reply))
		return queue_members_go_on(&q->members) &&
			       send_survey(q, reply) == 0
			   ? QUEUE_CALLING
			   : QUEUE_LOST;
	if (redis_reply_count(reply) < SURVEYED_HEAD ||
	    digest_totals(redis_reply_at(reply, 2), &totals) < 0)
		return QUEUE_LOST;
	for (size_t i = 0; i < 2; i++)
		if (queue_call_number(
			reply, i, 0, QUEUE_CALL_NUMBER_MAX, &n[i]) < 0 ||
		    redis_reply_count(redis_reply_at(reply, 3 + i)) >
			q->asked ||
		    !queue_call_are_texts(redis_reply_at(reply, 3 + i), 0))
			return QUEUE_LOST;
	for (size_t i = SURVEYED_HEAD; i < redis_reply_count(reply); i++)
		if (!is_held(redis_reply_at(reply, i), &left))
			return QUEUE_LOST;
	q->result.surveyed = (struct queue_surveyed){.ready = (uint64_t)n[0],
	    .rejected = (uint64_t)n[1],
	    .newer_ready = redis_reply_count(redis_reply_at(reply, 3)),
	    .newer_rejected = redis_reply_count(redis_reply_at(reply, 4)),
	    .consumers = redis_reply_count(reply) - SURVEYED_HEAD,
	    .totals = totals,
	    .reply = reply};
	return QUEUE_DONE;
}

const struct queue_surveyed *
queue_surveyed(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_SURVEY);
	return &q->result.surveyed;
}

const char *
queue_surveyed_ready(const struct queue_surveyed *s, size_t i, size_t *ret_len)
{
	return redis_reply_text(
	    redis_reply_at(redis_reply_at(s->reply, 3), i), ret_len);
}

const char *
queue_surveyed_rejected(
    const struct queue_surveyed *s, size_t i, size_t *ret_len)
{
	return redis_reply_text(
	    redis_reply_at(redis_reply_at(s->reply, 4), i), ret_len);
}

int
queue_surveyed_consumer(
    const struct queue_surveyed *s, size_t i, struct queue_held *ret)
{
	const struct redis_reply *one =
	    redis_reply_at(s->reply, SURVEYED_HEAD + i);
	size_t len;
	const char *id = redis_reply_text(redis_reply_at(one, 0), &len);
	int64_t last = redis_reply_int(redis_reply_at(one, 1), -1);
	struct id consumer;

	if (id == NULL || last < 0 || id_parse(id, len, &consumer) < 0)
		return -1;
	*ret = (struct queue_held){.consumer = consumer,
	    .last = (uint64_t)last,
	    .n = (redis_reply_count(one) - HELD_HEAD) / 2,
	    .batches = one};
	return 0;
}

struct queue_held_batch
queue_held_batch(const struct queue_held *h, size_t j)
{
	size_t at = HELD_HEAD + 2 * j;

	return (struct queue_held_batch){
	    .seq = (uint64_t)redis_reply_int(redis_reply_at(h->batches, at), 0),
	    .length = (uint64_t)redis_reply_int(
		redis_reply_at(h->batches, at + 1), 0)};
}
