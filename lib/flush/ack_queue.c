/* Queues committed batches until Redis has acknowledged them. */
#include "flush/ack_queue.h"

static struct ack *append(struct ack_queue *q);

void
ack_queue_add(struct ack_queue *q, struct window *w, int64_t now_ms)
{
	struct ack *to = append(q);

	*to = (struct ack){.consumer = w->consumer,
	    .self = w->self,
	    .next = w->from,
	    .last = w->last,
	    .rejects = w->rejects,
	    .opened_ms = w->opened_ms,
	    .added_ms = now_ms};
	w->rejects = (struct buf){0};
}

int
ack_queue_add_batch(struct ack_queue *q, const struct id *consumer,
    const struct id *self, uint64_t seq, const struct batch *b, int64_t now_ms)
{
	const uint64_t *bad = (const void *)buf_ptr(&b->bad);
	struct buf rejects = {0};

	for (size_t i = 0; i < b->bad.len / sizeof *bad; i++) {
		struct queue_reject reject = {seq, bad[i]};

		if (buf_add(&rejects, &reject, sizeof reject) < 0) {
			buf_free(&rejects);
			return -1;
		}
	}
	*append(q) = (struct ack){.consumer = *consumer,
	    .self = *self,
	    .next = seq,
	    .last = seq,
	    .rejects = rejects,
	    .opened_ms = b->opened_ms,
	    .added_ms = now_ms};
	return 0;
}

static struct ack *
append(struct ack_queue *q)
{
	return &q->ring[(q->first + q->n++) % ACK_QUEUE_MAX];
}

void
ack_queue_part(const struct ack_queue *q, struct ack_queue_part *ret_part)
{
	const struct ack *oldest = ack_queue_at(q, 0);
	const struct queue_reject *rejects =
	    (const void *)buf_ptr(&oldest->rejects);
	size_t n_rejects = oldest->rejects.len / sizeof *rejects, at = 0;
	struct ack_queue_part part = {
	    .consumer = &oldest->consumer, .rejects = rejects};

	for (uint64_t seq = oldest->next;
	     seq <= oldest->last && part.n < ACK_QUEUE_SEQS; seq++) {
		while (at < n_rejects && rejects[at].seq == seq)
			at++;
		if (part.n > 0 && at > ACK_QUEUE_REJECTS)
			break;
		part.seqs[part.n++] = seq;
		part.n_rejects = at;
	}
	*ret_part = part;
}

void
ack_queue_done(struct ack_queue *q, const struct ack_queue_part *part)
{
	struct ack *oldest = &q->ring[q->first];

	oldest->next += part->n;
	buf_drop(&oldest->rejects, part->n_rejects * sizeof *part->rejects);
	if (oldest->next <= oldest->last)
		return;
	buf_free(&oldest->rejects);
	q->first = (q->first + 1) % ACK_QUEUE_MAX;
	q->n--;
}

void
ack_queue_drop(struct ack_queue *q, const struct id *consumer, uint64_t row)
{
	size_t kept = 0;

	for (size_t i = 0; i < q->n; i++) {
		struct ack *a = &q->ring[(q->first + i) % ACK_QUEUE_MAX];

		if (id_equal(&a->consumer, consumer) && a->last > row)
			a->last = row;
		if (a->next > a->last) {
			buf_free(&a->rejects);
			continue;
		}
		q->ring[(q->first + kept++) % ACK_QUEUE_MAX] = *a;
	}
	q->n = kept;
}

const struct ack *
ack_queue_at(const struct ack_queue *q, size_t i)
{
	return &q->ring[(q->first + i) % ACK_QUEUE_MAX];
}

void
ack_queue_free(struct ack_queue *q)
{
	for (; q->n > 0; q->n--) {
		buf_free(&q->ring[q->first].rejects);
		q->first = (q->first + 1) % ACK_QUEUE_MAX;
	}
}
