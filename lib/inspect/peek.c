/* Reads the oldest messages of the ready list as lines, taking none. */
#include "inspect/peek.h"

#include "inspect/deadletter.h"
#include "queue/rmq_payload.h"
#include "record/increment.h"

/* 0, or -1 with errno ENOMEM. */
static int
add(struct peek *p, const char *payload, size_t len)
{
	struct increment inc;
	char text[INCREMENT_TEXT + 1];
	size_t text_len;
	enum fault fault;

	fault = deadletter_judge(&p->scratch, payload, len, &inc);
	if (fault == FAULT_UNAVAILABLE)
		return -1;
	if (fault == FAULT_NONE) {
		text_len = increment_format(&inc, text);
		text[text_len++] = '\n';
		return buf_add(&p->out, text, text_len);
	}
	if (!p->terminal)
		return buf_add(&p->out, buf_ptr(&p->scratch), p->scratch.len);
	return deadletter_add_shown(&p->out, buf_ptr(&p->scratch),
		   p->scratch.len - 1, PEEK_SHOWN_MAX) < 0 ||
		       buf_add(&p->out, "\n", 1) < 0
		   ? -1
		   : 0;
}

static enum list_cursor_state
read_once(struct peek *p, struct list_cursor *c, enum queue_state *ret_state)
{
	enum list_cursor_state state;

	buf_clear(&p->out);
	list_cursor_start(c, p->n);
	while ((state = list_cursor_step(c, ret_state)) == LIST_CURSOR_PAGE) {
		for (size_t i = 0; i < c->n; i++) {
			size_t len;
			const char *payload = list_cursor_payload(c, i, &len);

			if (add(p, payload, len) < 0)
				return LIST_CURSOR_MEMORY;
		}
		if (list_cursor_advance(c, c->n, c->n - 1) < 0)
			return LIST_CURSOR_MEMORY;
	}
	return state;
}

enum list_cursor_state
peek_run(struct peek *p, enum queue_state *ret_state)
{
	struct list_cursor c = {.q = p->q,
	    .wait_ms = p->wait_ms,
	    .list = {.kind = QUEUE_READY},
	    .max = QUEUE_PEEK_MAX - 1};
	enum list_cursor_state state = LIST_CURSOR_SHIFTED;

	for (int i = 0; i < PEEK_ROUNDS && state == LIST_CURSOR_SHIFTED; i++)
		state = read_once(p, &c, ret_state);
	list_cursor_free(&c);
	return state;
}

void
peek_free(struct peek *p)
{
	buf_free(&p->out);
	buf_free(&p->scratch);
}
