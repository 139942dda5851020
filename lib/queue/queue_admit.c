/*
 * A large batch without tags by a transaction, which costs Redis half of what
 * the script costs.
 *
 * In: a batch as it is sent.  Out: the call, and the same result as that of
 * publish.  The script of the transaction does what publish does but for the
 * push itself, with the same keys: so each sending may be by either.  A
 * transaction that is refused did nothing, and the script is called at once: it
 * says what is the matter, or is allowed.
 */
#include <stdint.h>
#include <string.h>

#include "queue/queue_call.h"

enum {
	LARGE = 200, /* fewer lines are cheaper by the script, measured */
	BEHIND = 3,  /* commands behind the script, then EXEC */
	NUMBERS = 3  /* of the script's reply */
};

static int add_commands(struct queue *q, const struct queue_sending *sending);
static bool has_pushed(const struct redis_reply *reply, size_t n);
static bool did_nothing(const struct redis_reply *reply);

/* A sending that had no reply is repeated by the script, which is allowed and
 * understood wherever this is. */
bool
queue_call_can_admit(const struct queue *q, const struct queue_sending *sending)
{
	return sending->lines->tags == 0 && sending->lines->n >= LARGE &&
	       sending->terms.name != q->sending.terms.name &&
	       queue_status(q)->connections != q->forbidden_at;
}

int
queue_call_admit(struct queue *q, const struct queue_sending *sending)
{
	if (add_commands(q, sending) < 0)
		return -1;
	resp_args_clear(&q->args);
	queue_call_list_key(q, "ready");
	queue_call_queues_key(q);
	queue_call_publisher_key(q, &sending->publisher, "");
	queue_call_own_key(q, "totals");
	queue_call_publisher_key(q, &sending->publisher, "::pushing");
	queue_call_terms(q, sending);
	resp_arg_u64(&q->args, sending->lines->n);
	q->sending = *sending;
	q->asked = sending->lines->n;
	return queue_call_transaction(q, QUEUE_CALL_ADMIT, 5,
	    &(struct session_commands){
		BEHIND, &q->opening, &sending->lines->resp, &q->ending});
}

/* LPUSHX pushing LINE..., RPOP pushing, RENAMENX pushing ready, EXEC: admit.lua
 * says why. */
static int
add_commands(struct queue *q, const struct queue_sending *sending)
{
	const struct id *publisher = &sending->publisher;

	buf_clear(&q->opening);
	buf_clear(&q->ending);
	resp_args_clear(&q->args);
	resp_arg_text(&q->args, "LPUSHX");
	queue_call_publisher_key(q, publisher, "::pushing");
	resp_args_behind(&q->args, sending->lines->n);
	if (q->args.failed || resp_encode_command(&q->opening, &q->args) < 0)
		return -1;
	resp_args_clear(&q->args);
	resp_arg_text(&q->args, "RPOP");
	queue_call_publisher_key(q, publisher, "::pushing");
	if (q->args.failed || resp_encode_command(&q->ending, &q->args) < 0)
		return -1;
	resp_args_clear(&q->args);
	resp_arg_text(&q->args, "RENAMENX");
	queue_call_publisher_key(q, publisher, "::pushing");
	queue_call_list_key(q, "ready");
	if (q->args.failed || resp_encode_command(&q->ending, &q->args) < 0)
		return -1;
	return buf_addf(&q->ending, "EXEC\r\n");
}

enum queue_state
queue_call_digest_admit(struct queue *q, const struct redis_reply *reply)
{
	const struct redis_reply *numbers = redis_reply_at(reply, 0);

	if (redis_reply_count(reply) != 1 + BEHIND ||
	    redis_reply_count(numbers) != NUMBERS ||
	    queue_call_digest_publish(q, numbers) != QUEUE_DONE)
		return QUEUE_LOST;
	if (q->result.published.outcome == QUEUE_PUSHED
		? has_pushed(reply, q->asked)
		: did_nothing(reply))
		return QUEUE_DONE;
	return QUEUE_LOST;
}

/* The list had n lines more than those before, and the empty one. */
static bool
has_pushed(const struct redis_reply *reply, size_t n)
{
	int64_t length, renamed;
	size_t len = 1;

	return queue_call_number(reply, 1, (int64_t)n + 1,
		   QUEUE_CALL_NUMBER_MAX, &length) == 0 &&
	       redis_reply_text(redis_reply_at(reply, 2), &len) != NULL &&
	       len == 0 && queue_call_number(reply, 3, 1, 1, &renamed) == 0;
}

static bool
did_nothing(const struct redis_reply *reply)
{
	return redis_reply_int(redis_reply_at(reply, 1), -1) == 0 &&
	       redis_reply_is_nil(redis_reply_at(reply, 2)) &&
	       redis_reply_error(redis_reply_at(reply, 3)) != NULL;
}

int
queue_call_admit_refused(struct queue *q)
{
	const char *why = queue_status(q)->why;

	if (strstr(why, "NOPERM ") != NULL || strncmp(why, "ERR ", 4) == 0)
		q->forbidden_at = queue_status(q)->connections;
	return queue_call_start(q) ? queue_call_publish(q, &q->sending) : -1;
}
