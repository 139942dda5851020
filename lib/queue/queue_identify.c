/* The call that says which database counts the queue. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "queue/queue_call.h"

static int call(struct queue *q, const struct id *database, const char *how,
    const struct queue_ledger *ledger, uint64_t missed);
static int send_identify(struct queue *q);

int
queue_identify(struct queue *q, const struct id *database,
    enum queue_identity how, const struct queue_ledger *ledger)
{
	static const char *const words[] = {[QUEUE_NOTE] = "note",
	    [QUEUE_ADOPT] = "adopt",
	    [QUEUE_LOOK] = "look"};

	return call(q, database, words[how], ledger, 0);
}

int
queue_settle(
    struct queue *q, const struct id *database, int64_t base, uint64_t missed)
{
	return call(q, database, "settle",
	    &(struct queue_ledger){.known = true, .lines = base}, missed);
}

static int
call(struct queue *q, const struct id *database, const char *how,
    const struct queue_ledger *ledger, uint64_t missed)
{
	q->members.rounds = 0;
	q->identify.database = *database;
	q->identify.how = how;
	q->identify.ledger = *ledger;
	q->identify.missed = missed;
	return send_identify(q);
}

static int
send_identify(struct queue *q)
{
	static const char *const rests[] = {"batches"};
	const struct queue_ledger *ledger = &q->identify.ledger;
	char lines[24] = "";
	size_t n;

	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "database");
	queue_call_own_key(q, "totals");
	queue_call_own_key(q, "consumers");
	queue_call_guard_key(q);
	n = queue_members_keys(q, rests, 1);
	queue_call_id(q, &q->identify.database);
	resp_arg_text(&q->args, q->identify.how);
	if (ledger->known)
		snprintf(lines, sizeof lines, "%" PRId64, ledger->lines);
	resp_arg_text(&q->args, lines);
	resp_arg_text(&q->args, ledger->known && ledger->rows ? "1" : "");
	resp_arg_u64(&q->args, q->identify.missed);
	queue_members_ids(q);
	return queue_call_eval(q, QUEUE_CALL_IDENTIFY, 4 + n, NULL);
}

enum queue_state
queue_call_digest_identify(struct queue *q, const struct redis_reply *reply)
{
	struct queue_identified *result = &q->result.identified;
	size_t len;
	const char *text = redis_reply_text(reply, &len);

	if (queue_members_changed(reply))
		return queue_call_with_members(q, reply, send_identify);
	if (text == NULL)
		return QUEUE_LOST;
	*result = (struct queue_identified){.noted = len > 0};
	if (id_parse(text, len, &result->database) < 0)
		result->database = (struct id){0};
	return QUEUE_DONE;
}

const struct queue_identified *
queue_identified(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_IDENTIFY);
	return &q->result.identified;
}
