/* Reads pages of a list, and checks that nobody took from it in between. */
#include "inspect/list_cursor.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"
#include "inspect/queue_sync.h"

static enum list_cursor_state peek(struct list_cursor *c, uint64_t older,
    size_t n, enum queue_state *ret_state);
static bool is_anchored(const struct list_cursor *c);
static bool is_as_before(const struct list_cursor *c);

void
list_cursor_start(struct list_cursor *c, uint64_t end)
{
	c->end = end;
	c->at = 0;
	c->length = 0;
	c->n = 0;
	buf_clear(&c->anchor);
}

enum list_cursor_state
list_cursor_step(struct list_cursor *c, enum queue_state *ret_state)
{
	uint64_t n = c->end - c->at;
	const struct queue_peeked *peeked;
	enum list_cursor_state state;

	if (n == 0)
		return LIST_CURSOR_END;
	state = peek(c, list_cursor_older(c),
	    num_min_size(n, c->max) + is_anchored(c), ret_state);
	if (state != LIST_CURSOR_PAGE)
		return state;
	peeked = queue_peeked(c->q);
	if (!is_anchored(c) && peeked->length < c->end)
		c->end = peeked->length;
	if (c->end == c->at)
		return LIST_CURSOR_END;
	if (!is_as_before(c))
		return LIST_CURSOR_SHIFTED;
	c->length = peeked->length;
	c->n = peeked->n - is_anchored(c);
	return LIST_CURSOR_PAGE;
}

static enum list_cursor_state
peek(struct list_cursor *c, uint64_t older, size_t n,
    enum queue_state *ret_state)
{
	enum queue_state state = queue_sync_idle(c->q, c->wait_ms);

	if (state == QUEUE_IDLE) {
		if (queue_peek(c->q, &c->list, older, n) < 0)
			return LIST_CURSOR_MEMORY;
		state = queue_sync_done(c->q, c->wait_ms);
	}
	if (state == QUEUE_DONE)
		return LIST_CURSOR_PAGE;
	*ret_state = state;
	return LIST_CURSOR_FAILED;
}

enum list_cursor_state
list_cursor_look_again(struct list_cursor *c, enum queue_state *ret_state)
{
	const char *payload;
	enum list_cursor_state state;
	size_t len;

	if (c->at == 0)
		return LIST_CURSOR_PAGE;
	state = peek(c, c->at - 1, 1, ret_state);
	if (state != LIST_CURSOR_PAGE)
		return state;
	if (queue_peeked(c->q)->n == 0)
		return LIST_CURSOR_SHIFTED;
	payload = queue_peeked_payload(queue_peeked(c->q), 0, &len);
	buf_clear(&c->anchor);
	return len > 0 && buf_add(&c->anchor, payload, len) < 0
		   ? LIST_CURSOR_MEMORY
		   : LIST_CURSOR_PAGE;
}

static bool
is_anchored(const struct list_cursor *c)
{
	return c->at > 0;
}

static bool
is_as_before(const struct list_cursor *c)
{
	const struct queue_peeked *peeked = queue_peeked(c->q);
	const char *payload;
	size_t len;

	if (peeked->length < c->end || peeked->n <= is_anchored(c))
		return false;
	if (!is_anchored(c))
		return true;
	payload = queue_peeked_payload(peeked, 0, &len);
	return len == c->anchor.len &&
	       (len == 0 || memcmp(payload, buf_ptr(&c->anchor), len) == 0);
}

const char *
list_cursor_payload(const struct list_cursor *c, size_t i, size_t *ret_len)
{
	return queue_peeked_payload(
	    queue_peeked(c->q), list_cursor_index(c, i), ret_len);
}

int64_t
list_cursor_ms(const struct list_cursor *c, size_t i)
{
	return queue_peeked_ms(queue_peeked(c->q), list_cursor_index(c, i));
}

uint64_t
list_cursor_older(const struct list_cursor *c)
{
	return c->at - is_anchored(c);
}

size_t
list_cursor_index(const struct list_cursor *c, size_t i)
{
	return i + is_anchored(c);
}

int
list_cursor_advance(struct list_cursor *c, size_t kept, size_t newest)
{
	const char *payload;
	size_t len;

	c->end -= c->n - kept;
	c->n = 0;
	if (kept == 0)
		return 0;
	payload = list_cursor_payload(c, newest, &len);
	c->at += kept;
	buf_clear(&c->anchor);
	return len == 0 ? 0 : buf_add(&c->anchor, payload, len);
}

void
list_cursor_free(struct list_cursor *c)
{
	buf_free(&c->anchor);
}
