/* The calls about a ledger that went back: numbers, restore, trim. */
#include "queue/queue_call.h"

#include <assert.h>
#include <string.h>

#include "base/failpoint.h"

/* Numbers of one 'again': in a reply of 16 bytes each, and in memory, far below
 * REDIS_SMALL_BYTES and REDIS_SMALL_PARTS.  15 of them are 3.9 million. */
enum { RESTORED_MAX = 1 << 18 };

static int read_numbers(
    const struct redis_reply *reply, uint64_t *ret, size_t n);

static int
send_numbers(struct queue *q)
{
	static const char *const rests[] = {"acknowledged", "closed"};
	size_t n;

	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "consumers");
	queue_call_guard_key(q);
	n = queue_members_keys(q, rests, 2);
	queue_call_id(q, &q->numbers_after);
	resp_arg_u64(&q->args, QUEUE_NUMBERS_MAX);
	queue_members_ids(q);
	return queue_call_eval(q, QUEUE_CALL_NUMBERS, 2 + n, NULL);
}

int
queue_numbers(struct queue *q, const struct id *after)
{
	q->members.rounds = 0;
	q->numbers_after = *after;
	return send_numbers(q);
}

enum queue_state
queue_call_digest_numbers(struct queue *q, const struct redis_reply *reply)
{
	if (queue_members_changed(reply))
		return queue_call_with_members(q, reply, send_numbers);
	if (!queue_call_are_rows(reply, 3, QUEUE_NUMBERS_MAX, 0))
		return QUEUE_LOST;
	q->result.numbered = (struct queue_numbered){
	    .n = redis_reply_count(reply) / 3, .list = reply};
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

/* The lists that the script asked for.  Returns how many. */
static size_t
restored_lists(struct queue *q)
{
	const struct buf *seqs = &q->restore.seqs;
	uint64_t seq;

	for (size_t at = 0; at < seqs->len; at += sizeof seq) {
		memcpy(&seq, buf_ptr(seqs) + at, sizeof seq);
		queue_call_consumer_key(
		    q, &q->restore.of.consumer, "batch", &seq);
	}
	return seqs->len / sizeof seq;
}

static int
send_restore(struct queue *q)
{
	const struct queue_restore *r = &q->restore.of;
	size_t n;

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
	queue_call_own_key(q, "kept::order");
	queue_call_own_key(q, "kept::size");
	queue_call_guard_key(q);
	n = restored_lists(q);
	queue_call_id(q, &r->consumer);
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
	resp_arg_u64(&q->args, RESTORED_MAX);
	return FAILPOINT_AFTER("flush-restore-sent",
	    queue_call_eval(q, QUEUE_CALL_RESTORE, 11 + n, NULL));
}

int
queue_restore(struct queue *q, const struct queue_restore *r)
{
	q->members.rounds = 0;
	q->restore.of = *r;
	buf_clear(&q->restore.seqs);
	return send_restore(q);
}

/* Numbers of batches, behind 'again'. */
static enum queue_state
restore_again(struct queue *q, const struct redis_reply *reply)
{
	size_t count = redis_reply_count(reply);

	if (count > 1 + RESTORED_MAX)
		return QUEUE_LOST;
	for (size_t i = 1; i < count; i++) {
		int64_t n;
		uint64_t seq;

		if (queue_call_number(reply, i, 1, QUEUE_CALL_NUMBER_MAX, &n) <
		    0)
			return QUEUE_LOST;
		seq = (uint64_t)n;
		if (buf_add(&q->restore.seqs, &seq, sizeof seq) < 0)
			return QUEUE_LOST;
	}
	return queue_members_go_on(&q->members) && send_restore(q) == 0
		   ? QUEUE_CALLING
		   : QUEUE_LOST;
}

enum queue_state
queue_call_digest_restore(struct queue *q, const struct redis_reply *reply)
{
	uint64_t n[4];
	size_t len;
	const char *word = redis_reply_text(redis_reply_at(reply, 0), &len);

	if (queue_members_changed(reply))
		return restore_again(q, reply);
	if (redis_reply_count(reply) == 1 && word != NULL &&
	    strcmp(word, "changed") == 0) {
		q->result.restored = (struct queue_restored){.changed = true};
		return QUEUE_DONE;
	}
	if (redis_reply_count(reply) != 4 || read_numbers(reply, n, 4) < 0)
		return QUEUE_LOST;
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

/* The first n elements of a reply, numbers.  0, or -1 if they are others. */
static int
read_numbers(const struct redis_reply *reply, uint64_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t one;

		if (queue_call_number(
			reply, i, 0, QUEUE_CALL_NUMBER_MAX, &one) < 0)
			return -1;
		ret[i] = (uint64_t)one;
	}
	return 0;
}

/* Those that the last reply named: who repeats the call lets these give way. */
int
queue_trim(struct queue *q, uint64_t messages)
{
	static const char *const rests[] = {"kept", "batches"};

	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "kept::order");
	queue_call_own_key(q, "kept::size");
	queue_call_guard_key(q);
	for (size_t i = 0; i < q->n_trims; i++) {
		const struct queue_trim *t = &q->trims[i];

		for (size_t k = 0; k < 2; k++)
			queue_call_consumer_key(
			    q, &t->consumer, rests[k], NULL);
		queue_call_consumer_key(q, &t->consumer, "batch", &t->seq);
	}
	resp_arg_u64(&q->args, QUEUE_TRIM_MAX);
	resp_arg_u64(&q->args, messages);
	for (size_t i = 0; i < q->n_trims; i++) {
		queue_call_id(q, &q->trims[i].consumer);
		resp_arg_u64(&q->args, q->trims[i].seq);
	}
	return queue_call_eval(q, QUEUE_CALL_TRIM, 3 + 3 * q->n_trims, NULL);
}

/* Consumer and number of each batch that comes next.  0, or -1. */
static int
note_trims(struct queue *q, const struct redis_reply *list)
{
	size_t n = redis_reply_count(list) / 2, len;
	int64_t seq;

	if (!redis_reply_is_list(list) || n > QUEUE_TRIM_MAX ||
	    redis_reply_count(list) % 2 != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *id =
		    redis_reply_text(redis_reply_at(list, 2 * i), &len);

		if (id == NULL ||
		    id_parse_lower(id, len, &q->trims[i].consumer) < 0 ||
		    queue_call_number(
			list, 2 * i + 1, 1, QUEUE_CALL_NUMBER_MAX, &seq) < 0)
			return -1;
		q->trims[i].seq = (uint64_t)seq;
	}
	q->n_trims = n;
	return 0;
}

enum queue_state
queue_call_digest_trim(struct queue *q, const struct redis_reply *reply)
{
	uint64_t n[6];

	q->n_trims = 0;
	if (redis_reply_count(reply) != 7 || read_numbers(reply, n, 6) < 0 ||
	    note_trims(q, redis_reply_at(reply, 6)) < 0)
		return QUEUE_LOST;
	q->result.trimmed = (struct queue_trimmed){.batches = n[0],
	    .messages = n[1],
	    .more = n[2] != 0,
	    .kept = n[3],
	    .bytes = n[4],
	    .is_short = n[5] != 0};
	return QUEUE_DONE;
}

const struct queue_trimmed *
queue_trimmed(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_TRIM);
	return &q->result.trimmed;
}
