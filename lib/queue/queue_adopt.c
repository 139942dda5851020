/*
 * The call adopt: one look at all consumers, at most one adopted.
 *
 * In: the adopter.  Out: a consumer and its batches.  The script decides;
 * what was seen before (liveness.h) only proposes.
 */
#include "queue/queue_call.h"

#include <assert.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "queue/owner.h"

enum {
	/* Of one look, which sweeps all that have no batches up to the first
	 * that has some: a queue of 10,000 that died would hold up those
	 * behind them for long.  Few if that one comes soon. */
	CANDIDATES_MAX = LIVENESS_MAX,
	CANDIDATES_FEW = 100,
	LOOKS_MAX = 4 /* of one call, for consumers not known */
};

static int send_adopt(struct queue *q);
static size_t list_candidates(
    struct queue *q, const struct liveness_seen **ret);
static size_t candidate_keys(
    struct queue *q, const struct liveness_seen *const *candidates, size_t n);
static int digest_look(
    struct queue *q, const struct redis_reply *reply, bool *ret_others);
static bool has_candidate(const struct queue *q);
static int note(
    struct queue *q, const struct redis_reply *list, size_t step, bool missing);
static int reply_id(const struct redis_reply *p, struct id *ret);

int
queue_adopt(struct queue *q, const struct id *self, bool strict, bool idle)
{
	uint64_t connection = queue_status(q)->connections;

	if (!queue_status(q)->idle)
		return -1;
	if (q->liveness_connection != connection)
		liveness_forget(&q->liveness);
	q->liveness_connection = connection;
	q->adopter = *self;
	q->adopter_strict = strict;
	q->adopter_idle = idle;
	q->second_round = false;
	q->members.rounds = 0;
	return send_adopt(q);
}

static int
send_adopt(struct queue *q)
{
	static const char *const of_each[] = {
	    "owner", "flush", "batches", "kept"};
	const struct liveness_seen *candidates[CANDIDATES_MAX];
	size_t n = list_candidates(q, candidates), n_keys = 7;

	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "consumers");
	queue_call_list_key(q, "ready");
	queue_call_own_key(q, "emptied");
	queue_call_guard_key(q);
	queue_call_consumer_key(q, &q->adopter, "owner", NULL);
	queue_call_consumer_key(q, &q->adopter, "flush", NULL);
	queue_call_consumer_key(q, &q->adopter, "closed", NULL);
	n_keys += queue_members_keys(q, of_each, 4);
	n_keys += candidate_keys(q, candidates, n);
	queue_call_id(q, &q->adopter);
	queue_call_record(q, &q->adopter);
	resp_arg_text(&q->args, owner_boot());
	resp_arg_u64(&q->args, LIVENESS_MAX);
	resp_arg_text(&q->args, q->adopter_strict ? "1" : "");
	resp_arg_text(&q->args, q->adopter_idle ? "1" : "");
	resp_arg_u64(&q->args, n);
	for (size_t i = 0; i < n; i++) {
		queue_call_id(q, &candidates[i]->consumer);
		resp_arg_text(&q->args, candidates[i]->record);
		/* What is gone, or not known to be owned, may have another
		 * half that makes new marks. */
		resp_arg_text(&q->args,
		    candidates[i]->missing ? candidates[i]->mark : "*");
	}
	queue_members_ids(q);
	return queue_call_eval(q, QUEUE_CALL_ADOPT, n_keys, NULL);
}

static size_t
list_candidates(struct queue *q, const struct liveness_seen **ret)
{
	size_t i = 0, n = 0;
	size_t max = q->adopted_last ? CANDIDATES_FEW : CANDIDATES_MAX;

	while (n < max && (ret[n] = liveness_candidate(&q->liveness, &i,
			       &q->adopter, clock_ms())) != NULL)
		n++;
	return n;
}

/* Those that a sweep deletes, and the last number.  Returns how many. */
static size_t
candidate_keys(
    struct queue *q, const struct liveness_seen *const *candidates, size_t n)
{
	static const char *const rests[] = {
	    "last", "acknowledged", "restored", "closed", "shards"};
	enum { EACH = sizeof rests / sizeof *rests };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < EACH; k++)
			queue_call_consumer_key(
			    q, &candidates[i]->consumer, rests[k], NULL);
	return n * EACH;
}

/* A consumer that this very look showed to be a candidate is adopted by the
 * second half of the same call.  Those that are registered and were not known
 * are looked at at once, too; by the next call, if others come all the time. */
enum queue_state
queue_call_digest_adopt(struct queue *q, const struct redis_reply *reply)
{
	bool others;

	if (digest_look(q, reply, &others) < 0)
		return QUEUE_LOST;
	others = others && ++q->members.rounds < LOOKS_MAX;
	if (q->result.adopted.n == 0 && others && !has_candidate(q))
		return send_adopt(q) == 0 ? QUEUE_CALLING : QUEUE_LOST;
	if (q->result.adopted.n == 0 && !q->second_round && has_candidate(q)) {
		q->second_round = true;
		if (FAILPOINT_AFTER("consume-adopt-sent", send_adopt(q)) == 0)
			return QUEUE_CALLING;
	}
	return QUEUE_DONE;
}

static int
digest_look(struct queue *q, const struct redis_reply *reply, bool *ret_others)
{
	struct queue_adopted *a = &q->result.adopted;
	const struct redis_reply *marks = redis_reply_at(reply, 5);
	const struct redis_reply *all = redis_reply_at(reply, 6);
	int64_t live, flushed, renewed, ready, others;

	if (redis_reply_count(reply) != 7 ||
	    queue_call_number(all, 0, 0, QUEUE_CALL_NUMBER_MAX, &others) < 0 ||
	    queue_call_number(marks, 0, -1, QUEUE_CALL_NUMBER_MAX, &live) < 0 ||
	    queue_call_number(marks, 1, 0, 1, &flushed) < 0 ||
	    queue_call_number(marks, 2, 0, 1, &renewed) < 0 ||
	    queue_call_number(marks, 3, -1, QUEUE_CALL_NUMBER_MAX, &ready) <
		0 ||
	    !queue_call_ascend(
		redis_reply_at(reply, 1), 0, 1, QUEUE_CALL_NUMBER_MAX) ||
	    liveness_begin(&q->liveness) < 0)
		return -1;
	if (redis_reply_count(all) > 1 &&
	    queue_members_note(&q->members, all, 1) < 0)
		return -1;
	*ret_others = others > 0;
	*a = (struct queue_adopted){.seqs = redis_reply_at(reply, 1),
	    .live = live > 0 ? (size_t)live : 0,
	    .flushed = flushed == 1,
	    .renewed = renewed == 1,
	    .idle = ready == 0};
	a->n = redis_reply_count(a->seqs);
	q->adopted_last = a->n > 0;
	if (live < 0) {
		liveness_forget(&q->liveness);
		return 0;
	}
	a->marked = a->flushed;
	if (a->n > 0 && (reply_id(redis_reply_at(reply, 0), &a->consumer) < 0 ||
			    liveness_hold(&q->liveness, &a->consumer) < 0))
		return -1;
	if (note(q, redis_reply_at(reply, 2), 1, true) < 0 ||
	    note(q, redis_reply_at(reply, 3), 3, false) < 0 ||
	    note(q, redis_reply_at(reply, 4), 3, true) < 0)
		return -1;
	liveness_end(&q->liveness, &q->adopter);
	a->candidates =
	    liveness_candidates(&q->liveness, &q->adopter, clock_ms());
	a->more = liveness_missing(&q->liveness) || a->candidates > 0;
	return 0;
}

static bool
has_candidate(const struct queue *q)
{
	size_t i = 0;

	return liveness_candidate(&q->liveness, &i, &q->adopter, clock_ms()) !=
	       NULL;
}

/* A list of ids (step 1), or of ids, records and marks (step 3). */
static int
note(struct queue *q, const struct redis_reply *list, size_t step, bool missing)
{
	int64_t now_ms = clock_ms();

	if (!redis_reply_is_list(list) ||
	    redis_reply_count(list) > step * (size_t)LIVENESS_MAX ||
	    redis_reply_count(list) % step != 0)
		return -1;
	for (size_t i = 0; i + step <= redis_reply_count(list); i += step) {
		struct liveness_look look = {.missing = missing};

		/* Anything may be in the set; what is no UUID is no consumer.
		 */
		if (reply_id(redis_reply_at(list, i), &look.consumer) < 0)
			continue;
		if (step == 3) {
			look.record = redis_reply_text(
			    redis_reply_at(list, i + 1), &look.record_len);
			look.mark = redis_reply_text(
			    redis_reply_at(list, i + 2), &look.mark_len);
			if (look.record == NULL || look.mark == NULL)
				return -1;
		}
		liveness_note(&q->liveness, &look, now_ms);
	}
	return 0;
}

static int
reply_id(const struct redis_reply *p, struct id *ret)
{
	size_t len;
	const char *text = redis_reply_text(p, &len);

	return text == NULL ? -1 : id_parse(text, len, ret);
}

const struct queue_adopted *
queue_adopted(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_ADOPT);
	return &q->result.adopted;
}

uint64_t
queue_adopted_seq(const struct queue_adopted *a, size_t i)
{
	return (uint64_t)redis_reply_int(redis_reply_at(a->seqs, i), 0);
}
