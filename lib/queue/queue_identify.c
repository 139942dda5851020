/* The call that says which database counts the queue. */
#include <assert.h>

#include "queue/queue_call.h"

int
queue_identify(
    struct queue *q, const struct id *database, enum queue_identity how)
{
	static const char *const words[] = {[QUEUE_NOTE] = "note",
	    [QUEUE_ADOPT] = "adopt",
	    [QUEUE_LOOK] = "look"};

	if (!queue_call_start(q))
		return -1;
	queue_call_own_key(q, "database");
	queue_call_id(q, database);
	resp_arg_text(&q->args, words[how]);
	return queue_call_eval(q, QUEUE_CALL_IDENTIFY, 1, NULL);
}

enum queue_state
queue_call_digest_identify(struct queue *q, const struct redis_reply *reply)
{
	struct queue_identified *result = &q->result.identified;
	size_t len;
	const char *text = redis_reply_text(reply, &len);

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
