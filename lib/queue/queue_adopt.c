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

enum { CANDIDATES_MAX = 100 /* of one adoption */ };

static int send_adopt(struct queue *q);
static int digest_look(struct queue *q, const struct redis_reply *reply);
static bool has_candidate(const struct queue *q);
static int note(struct queue *q, const struct redis_reply *list, size_t step,
    int64_t now_ms);
static int reply_id(const struct redis_reply *p, struct id *ret);

int
queue_adopt(struct queue *q, const struct id *self)
{
	uint64_t connection = queue_status(q)->connections;

	if (!queue_status(q)->idle)
		return -1;
	if (q->liveness_connection != connection)
		liveness_forget(&q->liveness);
	q->liveness_connection = connection;
	q->adopter = *self;
	q->second_round = false;
	return send_adopt(q);
}

static int
send_adopt(struct queue *q)
{
	const struct liveness_seen *one;
	size_t i = 0, n = 0;

	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "consumers");
	queue_call_own_key(q, "consumer::");
	queue_call_id(q, &q->adopter);
	queue_call_record(q, &q->adopter);
	resp_arg_text(&q->args, owner_boot());
	resp_arg_u64(&q->args, LIVENESS_MAX);
	while (n < CANDIDATES_MAX && (one = liveness_candidate(&q->liveness, &i,
					  &q->adopter, clock_ms())) != NULL) {
		queue_call_id(q, &one->consumer);
		resp_arg_text(&q->args, one->record);
		n++;
	}
	return queue_call_eval(q, QUEUE_CALL_ADOPT, 1, NULL);
}

/* A consumer that this very look showed to be a candidate is adopted by the
 * second half of the same call. */
enum queue_state
queue_call_digest_adopt(struct queue *q, const struct redis_reply *reply)
{
	if (digest_look(q, reply) < 0)
		return QUEUE_LOST;
	if (q->result.adopted.n == 0 && !q->second_round && has_candidate(q)) {
		q->second_round = true;
		if (FAILPOINT_AFTER("consume-adopt-sent", send_adopt(q)) == 0)
			return QUEUE_CALLING;
	}
	return QUEUE_DONE;
}

static int
digest_look(struct queue *q, const struct redis_reply *reply)
{
	struct queue_adopted *a = &q->result.adopted;
	int64_t now_ms = clock_ms();

	if (redis_reply_count(reply) != 4 || liveness_begin(&q->liveness) < 0)
		return -1;
	*a = (struct queue_adopted){.seqs = redis_reply_at(reply, 1)};
	a->n = redis_reply_count(a->seqs);
	if (a->n > 0 && (reply_id(redis_reply_at(reply, 0), &a->consumer) < 0 ||
			    liveness_hold(&q->liveness, &a->consumer) < 0))
		return -1;
	if (note(q, redis_reply_at(reply, 2), 1, now_ms) < 0 ||
	    note(q, redis_reply_at(reply, 3), 2, now_ms) < 0)
		return -1;
	liveness_end(&q->liveness, &q->adopter);
	a->more = liveness_ownerless(&q->liveness) || has_candidate(q);
	return 0;
}

static bool
has_candidate(const struct queue *q)
{
	size_t i = 0;

	return liveness_candidate(&q->liveness, &i, &q->adopter, clock_ms()) !=
	       NULL;
}

/* A list of ids (step 1), or of ids and records (step 2). */
static int
note(struct queue *q, const struct redis_reply *list, size_t step,
    int64_t now_ms)
{
	for (size_t i = 0; i + step <= redis_reply_count(list); i += step) {
		struct id id;
		size_t len = 0;
		const char *record = "";

		/* Anything may be in the set; what is no UUID is no consumer.
		 */
		if (reply_id(redis_reply_at(list, i), &id) < 0)
			continue;
		if (step == 2)
			record =
			    redis_reply_text(redis_reply_at(list, i + 1), &len);
		if (record == NULL)
			return -1;
		liveness_note(&q->liveness, &id, record, len, now_ms);
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
