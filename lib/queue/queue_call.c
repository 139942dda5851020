#include "queue/queue_call.h"

#include <stdio.h>
#include <string.h>

#include "queue/owner.h"

enum {
	REST_MAX = 160, /* a UUID, a number, the words */
	KEY_MAX = 512   /* the same, a name, and more words */
};

bool
queue_call_start(struct queue *q)
{
	resp_args_clear(&q->args);
	return session_idle(q->session);
}

int
queue_call_eval(struct queue *q, enum queue_call call, size_t n_keys)
{
	q->call = call;
	q->n_keys = n_keys;
	return session_eval(q->session, call, n_keys, &q->args, NULL);
}

void
queue_call_list_key(struct queue *q, const char *list)
{
	char key[KEY_MAX];

	snprintf(key, sizeof key, "rmq::queue::[%s]::%s", q->name, list);
	resp_arg_text(&q->args, key);
}

void
queue_call_own_key(struct queue *q, const char *rest)
{
	char key[KEY_MAX];

	snprintf(key, sizeof key, "incr::queue::[%s]::%s", q->name, rest);
	resp_arg_text(&q->args, key);
}

/* ...::consumer::ID::rest, with ::SEQ if there is one */
void
queue_call_consumer_key(struct queue *q, const struct id *consumer,
    const char *rest, const uint64_t *seq)
{
	char key[REST_MAX], text[ID_TEXT + 1];
	int len;

	id_format(consumer, text);
	len = snprintf(key, sizeof key, "consumer::%s::%s", text, rest);
	if (seq != NULL)
		snprintf(key + len, sizeof key - (size_t)len, "::%ju",
		    (uintmax_t)*seq);
	queue_call_own_key(q, key);
}

void
queue_call_id(struct queue *q, const struct id *id)
{
	char text[ID_TEXT + 1];

	id_format(id, text);
	resp_arg(&q->args, text, ID_TEXT);
}

/* The owner record of this process, and how long it lives. */
void
queue_call_record(struct queue *q, const struct id *speaker)
{
	char record[OWNER_RECORD_MAX];

	owner_record(speaker, record);
	resp_arg_text(&q->args, record);
	resp_arg_u64(&q->args, QUEUE_OWNER_MS);
}
