/* Remembers the registered consumers, and writes their keys. */
#include "queue/queue_members.h"

#include <stdlib.h>
#include <string.h>

#include "queue/queue_call.h"

bool
queue_members_changed(const struct redis_reply *reply)
{
	size_t len;
	const char *word = redis_reply_text(redis_reply_at(reply, 0), &len);

	return word != NULL && strcmp(word, "again") == 0;
}

int
queue_members_note(
    struct queue_members *m, const struct redis_reply *reply, size_t first)
{
	size_t count = redis_reply_count(reply), len;
	struct id *ids = calloc(count + 1, sizeof *ids);

	if (ids == NULL || !queue_call_are_texts(reply, first)) {
		free(ids);
		return -1;
	}
	free(m->ids);
	m->ids = ids;
	m->n = 0;
	for (size_t i = first; i < count; i++) {
		const char *text =
		    redis_reply_text(redis_reply_at(reply, i), &len);

		if (id_parse_lower(text, len, &m->ids[m->n]) == 0)
			m->n++;
	}
	return 0;
}

bool
queue_members_go_on(struct queue_members *m)
{
	return ++m->rounds < QUEUE_MEMBERS_ROUNDS;
}

size_t
queue_members_keys(struct queue *q, const char *const *rests, size_t n)
{
	for (size_t i = 0; i < q->members.n; i++)
		for (size_t k = 0; k < n; k++)
			queue_call_consumer_key(
			    q, &q->members.ids[i], rests[k], NULL);
	return n * q->members.n;
}

void
queue_members_ids(struct queue *q)
{
	for (size_t i = 0; i < q->members.n; i++)
		queue_call_id(q, &q->members.ids[i]);
}

void
queue_members_free(struct queue_members *m)
{
	free(m->ids);
	*m = (struct queue_members){0};
}
