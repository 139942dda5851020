/* Keeps the payloads of a batch that is read in pieces. */
#include "queue/batch_pieces.h"

#include <string.h>

void
batch_pieces_begin(
    struct batch_pieces *p, const struct id *consumer, uint64_t seq)
{
	if (p->seq == seq &&
	    memcmp(&p->consumer, consumer, sizeof *consumer) == 0)
		return;
	batch_pieces_clear(p);
	p->consumer = *consumer;
	p->seq = seq;
}

int
batch_pieces_add(struct batch_pieces *p, const char *payload, size_t len)
{
	size_t before = p->text.len, end = before + len;

	if ((len > 0 && buf_add(&p->text, payload, len) < 0) ||
	    buf_add(&p->ends, (const char *)&end, sizeof end) < 0) {
		p->text.len = before;
		return -1;
	}
	p->n++;
	return 0;
}

const char *
batch_pieces_payload(const struct batch_pieces *p, size_t i, size_t *ret_len)
{
	const char *ends = buf_ptr(&p->ends);
	size_t from = 0, to;

	if (i > 0)
		memcpy(&from, ends + (i - 1) * sizeof from, sizeof from);
	memcpy(&to, ends + i * sizeof to, sizeof to);
	*ret_len = to - from;
	return p->text.len == 0 ? "" : buf_ptr(&p->text) + from;
}

void
batch_pieces_clear(struct batch_pieces *p)
{
	buf_free(&p->text);
	buf_free(&p->ends);
	*p = (struct batch_pieces){0};
}
