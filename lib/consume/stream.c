/* Writes batches as lines and checkpoints. */
#include "consume/stream.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/io.h"
#include "base/num.h"
#include "queue/rmq_payload.h"
#include "queue/shards.h"
#include "record/increment.h"

enum {
	WRITE_MAX = 1 << 20, /* bytes, then others get their turn */
	KEEP_MAX = 1 << 16,  /* bytes of memory kept while idle */
	USUAL_WAIT_MS = 400 /* a usual wait has no since_ms in the checkpoint */
};

static int add_lines(struct stream *s, const struct queue_batch *b,
    unsigned shards, uint64_t *ret_bytes);
static enum fault judge_key(
    struct stream *s, unsigned shards, size_t start, uint64_t number);
static bool is_own_key(
    const char *queue, unsigned shards, const struct id *key);

int
stream_begin(struct stream *s, const char *queue, const struct id *consumer,
    int64_t now_ms)
{
	size_t len = strlen(queue);

	s->last = (struct control_checkpoint){
	    .consumer = *consumer, .taken_ms = now_ms};
	memcpy(
	    s->last.queue, queue, len > QUEUE_NAME_MAX ? QUEUE_NAME_MAX : len);
	return control_add_checkpoint(&s->out, &s->last);
}

void
stream_compare(struct stream *s, const struct queue_registered *r)
{
	const struct control_checkpoint *p = &s->last;

	if (p->seq == 0 || (r->known && r->last >= p->seq))
		return;
	s->losses++;
	s->loss = (struct batch_history_loss){.consumer = p->consumer,
	    .seq = p->seq,
	    .known = r->known,
	    .last = r->last,
	    .messages = batch_history_above(
		&s->history, &p->consumer, r->last, p->seq)};
}

bool
stream_begun(const struct stream *s)
{
	return s->last.queue[0] != '\0';
}

int
stream_add(struct stream *s, const struct queue_batch *b,
    const struct id *adopted, uint64_t *ret_bytes)
{
	struct control_checkpoint c = s->last;

	if (add_lines(
		s, b, adopted != NULL ? b->shards : s->shards, ret_bytes) < 0)
		return -1;
	c.seq = b->seq;
	c.lines = b->n;
	c.taken_ms = b->taken_ms;
	c.since_ms =
	    b->taken_ms - b->since_ms > USUAL_WAIT_MS ? b->since_ms : 0;
	if (adopted != NULL) {
		c.consumer = *adopted;
		c.adopted = true;
		s->adopted++;
	} else {
		s->last = c;
		s->batches++;
		batch_history_add(&s->history, &c.consumer, c.seq, c.lines);
	}
	s->lines += b->n;
	return control_add_checkpoint(&s->out, &c);
}

static int
add_lines(struct stream *s, const struct queue_batch *b, unsigned shards,
    uint64_t *ret_bytes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < b->n; i++) {
		size_t len, start = s->out.len;
		const char *raw = queue_batch_payload(b, i, &len);
		enum fault fault =
		    rmq_payload_add_line(&s->out, raw, len, i + 1);

		if (fault == FAULT_NONE && shards > 0)
			fault = judge_key(s, shards, start, i + 1);
		if (fault == FAULT_UNAVAILABLE)
			return -1;
		s->faults[fault]++;
		bytes += len;
	}
	*ret_bytes = bytes;
	return 0;
}

/* The line at `start` was added.  What is no increment is incr-flush's to
 * judge. */
static enum fault
judge_key(struct stream *s, unsigned shards, size_t start, uint64_t number)
{
	struct control_error e = {.fault = FAULT_WRONG_SHARD, .line = number};
	struct increment inc;
	enum fault fault = increment_parse(
	    buf_ptr(&s->out) + start, s->out.len - start - 1, &inc);

	if (fault == FAULT_UNAVAILABLE)
		return fault;
	if (fault != FAULT_NONE || is_own_key(s->last.queue, shards, &inc.key))
		return FAULT_NONE;
	s->out.len = start;
	return control_add_error(&s->out, &e) < 0 ? FAULT_UNAVAILABLE : e.fault;
}

/* All keys are a shard's, none is of the plain queue. */
static bool
is_own_key(const char *queue, unsigned shards, const struct id *key)
{
	char plain[QUEUE_NAME_MAX + 1];
	unsigned i;

	return shard_parse(queue, plain, &i) &&
	       shard_of(key->bytes, shards) == i;
}

int
stream_end(struct stream *s)
{
	if (!stream_begun(s))
		return 0;
	s->last.lines = 0;
	s->last.since_ms = 0;
	s->last.end = true;
	return control_add_checkpoint(&s->out, &s->last);
}

int
stream_write(struct stream *s, int fd)
{
	size_t budget = WRITE_MAX;

	while (s->out.len > 0 && budget > 0) {
		size_t n = num_min_size(s->out.len, budget);
		int64_t done;

		FAILPOINT_SHORTEN("consume-half", buf_ptr(&s->out), n);
		FAILPOINT_SHORTEN("consume-lines", buf_ptr(&s->out), n);
		FAILPOINT_SHORTEN(
		    "consume-checkpoint-half", buf_ptr(&s->out), n);
		done = io_write_some(fd, buf_ptr(&s->out), n);
		if (done < 0)
			return errno == EAGAIN ? 0 : -1;
		buf_drop(&s->out, (size_t)done);
		budget -= (size_t)done;
		FAILPOINT("consume-written");
	}
	return 0;
}

void
stream_shrink(struct stream *s)
{
	if (s->out.len > 0 || s->out.cap <= KEEP_MAX)
		return;
	buf_free(&s->out);
	malloc_trim(0); /* what the reply took, too */
}

void
stream_free(struct stream *s)
{
	buf_free(&s->out);
}
