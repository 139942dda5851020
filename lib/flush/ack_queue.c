#include "flush/ack_queue.h"

static struct receipt *append(struct receipts *r);

bool
receipts_full(const struct receipts *r)
{
	return r->n == RECEIPTS_MAX;
}

void
receipts_add(struct receipts *r, struct window *w)
{
	struct receipt *to = append(r);

	*to = (struct receipt){.consumer = w->consumer,
	    .self = w->self,
	    .next = w->from,
	    .last = w->last,
	    .rejects = w->rejects,
	    .opened_ms = w->opened_ms};
	w->rejects = (struct buf){0};
}

int
receipts_add_batch(struct receipts *r, const struct id *consumer,
    const struct id *self, uint64_t seq, const struct batch *b)
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
	*append(r) = (struct receipt){.consumer = *consumer,
	    .self = *self,
	    .next = seq,
	    .last = seq,
	    .rejects = rejects,
	    .opened_ms = b->opened_ms};
	return 0;
}

static struct receipt *
append(struct receipts *r)
{
	return &r->ring[(r->first + r->n++) % RECEIPTS_MAX];
}

void
receipts_part(const struct receipts *r, struct receipts_part *ret)
{
	const struct receipt *oldest = receipts_at(r, 0);
	const struct queue_reject *rejects =
	    (const void *)buf_ptr(&oldest->rejects);
	size_t n_rejects = oldest->rejects.len / sizeof *rejects, at = 0;
	struct receipts_part part = {
	    .consumer = &oldest->consumer, .rejects = rejects};

	for (uint64_t seq = oldest->next;
	     seq <= oldest->last && part.n < RECEIPTS_SEQS; seq++) {
		while (at < n_rejects && rejects[at].seq == seq)
			at++;
		if (part.n > 0 && at > RECEIPTS_REJECTS)
			break;
		part.seqs[part.n++] = seq;
		part.n_rejects = at;
	}
	*ret = part;
}

void
receipts_done(struct receipts *r, const struct receipts_part *part)
{
	struct receipt *oldest = &r->ring[r->first];

	oldest->next += part->n;
	buf_drop(&oldest->rejects, part->n_rejects * sizeof *part->rejects);
	if (oldest->next <= oldest->last)
		return;
	buf_free(&oldest->rejects);
	r->first = (r->first + 1) % RECEIPTS_MAX;
	r->n--;
}

const struct receipt *
receipts_at(const struct receipts *r, size_t i)
{
	return &r->ring[(r->first + i) % RECEIPTS_MAX];
}

void
receipts_free(struct receipts *r)
{
	for (; r->n > 0; r->n--) {
		buf_free(&r->ring[r->first].rejects);
		r->first = (r->first + 1) % RECEIPTS_MAX;
	}
}
