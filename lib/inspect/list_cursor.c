#include "inspect/list_cursor.h"

#include <string.h>

#include "inspect/queue_sync.h"

static bool is_anchored(const struct walk *w);
static bool is_as_before(const struct walk *w);

void
walk_start(struct walk *w, uint64_t end)
{
	w->end = end;
	w->at = 0;
	w->n = 0;
	buf_clear(&w->anchor);
}

enum walk_state
walk_step(struct walk *w, enum queue_state *ret_state)
{
	uint64_t n = w->end - w->at;

	if (n == 0)
		return WALK_END;
	*ret_state = await_idle(w->q, w->wait_ms);
	if (*ret_state != QUEUE_IDLE)
		return WALK_FAILED;
	if (queue_peek(w->q, &w->list, walk_older(w),
		(n < w->max ? n : w->max) + is_anchored(w)) < 0)
		return WALK_FAILED;
	*ret_state = await_done(w->q, w->wait_ms);
	if (*ret_state != QUEUE_DONE)
		return WALK_FAILED;
	if (!is_anchored(w) && queue_peek_length(w->q) < w->end)
		w->end = queue_peek_length(w->q);
	if (w->end == w->at)
		return WALK_END;
	if (!is_as_before(w))
		return WALK_SHIFTED;
	w->n = queue_peeked(w->q) - is_anchored(w);
	return WALK_HAND;
}

static bool
is_anchored(const struct walk *w)
{
	return w->at > 0;
}

static bool
is_as_before(const struct walk *w)
{
	const char *payload;
	size_t len;

	if (queue_peek_length(w->q) < w->end ||
	    queue_peeked(w->q) <= is_anchored(w))
		return false;
	if (!is_anchored(w))
		return true;
	payload = queue_peeked_payload(w->q, 0, &len);
	return len == w->anchor.len &&
	       (len == 0 || memcmp(payload, buf_ptr(&w->anchor), len) == 0);
}

const char *
walk_payload(const struct walk *w, size_t i, size_t *ret_len)
{
	return queue_peeked_payload(w->q, walk_index(w, i), ret_len);
}

size_t
walk_index(const struct walk *w, size_t i)
{
	return i + is_anchored(w);
}

uint64_t
walk_older(const struct walk *w)
{
	return w->at - is_anchored(w);
}

int
walk_pass(struct walk *w, size_t kept, size_t newest)
{
	const char *payload;
	size_t len;

	w->end -= w->n - kept;
	w->n = 0;
	if (kept == 0)
		return 0;
	payload = walk_payload(w, newest, &len);
	w->at += kept;
	buf_clear(&w->anchor);
	return len == 0 ? 0 : buf_add(&w->anchor, payload, len);
}

void
walk_free(struct walk *w)
{
	buf_free(&w->anchor);
}
