/* Remembers how many messages the latest batches had. */
#include "queue/batch_history.h"

#include <inttypes.h>
#include <stdio.h>

void
batch_history_add(struct batch_history *h, const struct id *consumer,
    uint64_t seq, uint64_t messages)
{
	h->ring[h->n++ % BATCH_HISTORY_MAX] =
	    (struct batch_history_entry){*consumer, seq, messages};
}

/* From the latest one back; a batch may have come twice. */
uint64_t
batch_history_above(const struct batch_history *h, const struct id *consumer,
    uint64_t last, uint64_t to)
{
	uint64_t messages = 0, next = to;

	for (uint64_t i = 0; i < BATCH_HISTORY_MAX && i < h->n && next > last;
	     i++) {
		const struct batch_history_entry *e =
		    &h->ring[(h->n - 1 - i) % BATCH_HISTORY_MAX];

		if (e->seq != next || !id_equal(&e->consumer, consumer))
			continue;
		messages += e->messages;
		next--;
	}
	return next > last ? UINT64_MAX : messages;
}

void
batch_history_explain(const struct batch_history_loss *b, const char *queue,
    char ret_why[REASON_MAX])
{
	char consumer[ID_TEXT + 1], what[80] = "", twice[80] = "";

	id_format(&b->consumer, consumer);
	if (b->known)
		snprintf(what, sizeof what,
		    ", but as far as batch %" PRIu64 " of %" PRIu64, b->last,
		    b->seq);
	if (b->seq > 0 && b->messages < UINT64_MAX)
		snprintf(twice, sizeof twice,
		    "; %" PRIu64 " messages at most may be counted twice",
		    b->messages);
	else if (b->seq > 0)
		snprintf(twice, sizeof twice,
		    "; %" PRIu64 " batches at most may be counted twice",
		    b->seq - b->last);
	reason_set(ret_why,
	    "queue %s: Redis %s consumer %s%s: another Redis, or one that went "
	    "back%s",
	    queue, b->known ? "knows" : "does not know", consumer, what, twice);
}
