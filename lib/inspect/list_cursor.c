#include "inspect/list_cursor.h"

#include <string.h>

#include "inspect/queue_sync.h"

static bool is_anchored(const struct list_cursor *w);
static bool is_as_before(const struct list_cursor *w);

void
list_cursor_start(struct list_cursor *w, uint64_t end)
{
	w->end = end;
	w->at = 0;
	w->n = 0;
	buf_clear(&w->anchor);
}

enum list_cursor_state
list_cursor_step(struct list_cursor *w, enum queue_state *ret_state)
{
	uint64_t n = w->end - w->at;
	const struct queue_peeked *peeked;

	if (n == 0)
		return LIST_CURSOR_END;
	*ret_state = queue_sync_idle(w->q, w->wait_ms);
	if (*ret_state != QUEUE_IDLE)
		return LIST_CURSOR_FAILED;
	if (queue_peek(w->q, &w->list, list_cursor_older(w),
		(n < w->max ? n : w->max) + is_anchored(w)) < 0)
		return LIST_CURSOR_FAILED;
	*ret_state = queue_sync_done(w->q, w->wait_ms);
	if (*ret_state != QUEUE_DONE)
		return LIST_CURSOR_FAILED;
	peeked = queue_peeked(w->q);
	if (!is_anchored(w) && peeked->length < w->end)
		w->end = peeked->length;
	if (w->end == w->at)
		return LIST_CURSOR_END;
	if (!is_as_before(w))
		return LIST_CURSOR_SHIFTED;
	w->n = peeked->n - is_anchored(w);
	return LIST_CURSOR_HAND;
}

static bool
is_anchored(const struct list_cursor *w)
{
	return w->at > 0;
}

static bool
is_as_before(const struct list_cursor *w)
{
	const struct queue_peeked *peeked = queue_peeked(w->q);
	const char *payload;
	size_t len;

	if (peeked->length < w->end || peeked->n <= is_anchored(w))
		return false;
	if (!is_anchored(w))
		return true;
	payload = queue_peeked_payload(peeked, 0, &len);
	return len == w->anchor.len &&
	       (len == 0 || memcmp(payload, buf_ptr(&w->anchor), len) == 0);
}

const char *
list_cursor_payload(const struct list_cursor *w, size_t i, size_t *ret_len)
{
	return queue_peeked_payload(
	    queue_peeked(w->q), list_cursor_index(w, i), ret_len);
}

size_t
list_cursor_index(const struct list_cursor *w, size_t i)
{
	return i + is_anchored(w);
}

uint64_t
list_cursor_older(const struct list_cursor *w)
{
	return w->at - is_anchored(w);
}

int
list_cursor_pass(struct list_cursor *w, size_t kept, size_t newest)
{
	const char *payload;
	size_t len;

	w->end -= w->n - kept;
	w->n = 0;
	if (kept == 0)
		return 0;
	payload = list_cursor_payload(w, newest, &len);
	w->at += kept;
	buf_clear(&w->anchor);
	return len == 0 ? 0 : buf_add(&w->anchor, payload, len);
}

void
list_cursor_free(struct list_cursor *w)
{
	buf_free(&w->anchor);
}
