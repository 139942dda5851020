/* Builds the body of a request from lines, and settles them by its answers. */
#include "send/send_request.h"

#include <string.h>

#include "base/lines.h"
#include "record/control.h"

static void make_key(
    struct send_request *r, const struct send_request_keys *keys);
static int write_body(struct send_request *r, const struct line_window *w);
static void learn_all(struct send_request *r, struct line_window *w,
    const struct http_verdict *v);
static void learn_lines(struct send_request *r, struct line_window *w,
    const struct http_verdict *v);
static enum fault read_verdict(
    const struct line_window_line *l, const char *text, size_t len);
static void learn(struct send_request *r, struct line_window *w,
    struct line_window_line *l, enum fault fault);
static void settle(struct send_request *r, struct line_window *w,
    struct line_window_line *l, enum fault fault);
static bool is_doubtful(
    const struct send_request *r, const struct line_window *w);
static struct line_window_line *next_open(
    const struct send_request *r, const struct line_window *w, uint64_t *at);

int
send_request_fill(struct send_request *r, struct line_window *w, size_t max,
    const struct send_request_keys *keys)
{
	const struct line_window_line *l = line_window_peek(w);

	r->keyed = keys->keyed;
	r->n = r->left = 0;
	r->until_ms = 0;
	r->detail = NULL;
	r->from = w->next;
	r->first_number = l->number;
	for (; r->left < max && l != NULL; l = line_window_peek(w)) {
		if (keys->input != NULL &&
		    l->number != r->first_number + r->left)
			break;
		(void)line_window_next(w);
		r->left++;
	}
	r->to = r->end = w->next;
	make_key(r, keys);
	r->state = SEND_REQUEST_READY;
	return write_body(r, w);
}

static void
make_key(struct send_request *r, const struct send_request_keys *keys)
{
	struct id id;

	r->key = keys->input == NULL ? r->id : keys->input;
	if (!keys->keyed || keys->input != NULL)
		return;
	id_make(&id);
	id_format(&id, r->id);
}

void
send_request_sent(struct send_request *r, int64_t now_us)
{
	r->sent_us = now_us;
	r->state = SEND_REQUEST_ASKED;
}

/* The lines that have no verdict. */
static int
write_body(struct send_request *r, const struct line_window *w)
{
	uint64_t at = 0;
	struct line_window_line *l;

	buf_clear(&r->body);
	r->n = 0;
	while ((l = next_open(r, w, &at)) != NULL) {
		if (lines_put(&r->body, l->body, l->body_len) < 0)
			return -1;
		l->place = ++r->n;
	}
	return 0;
}

/* The next line without a verdict from *at on, NULL: none.  Lines that left
 * the window had one. */
static struct line_window_line *
next_open(
    const struct send_request *r, const struct line_window *w, uint64_t *at)
{
	if (*at < r->from)
		*at = r->from;
	if (*at < w->first)
		*at = w->first;
	while (*at < r->to) {
		struct line_window_line *l = line_window_at(w, (*at)++);

		if (l->state != LINE_WINDOW_ANSWERED)
			return l;
	}
	return NULL;
}

int64_t
send_request_learn(
    struct send_request *r, struct line_window *w, const struct http_verdict *v)
{
	r->detail = v->detail;
	if (v->kind == HTTP_VERDICT_LINES)
		learn_lines(r, w, v);
	else
		learn_all(r, w, v);
	r->state = r->left > 0 ? SEND_REQUEST_REPEAT : SEND_REQUEST_FREE;
	/* With a key it is repeated as it was. */
	if (r->left > 0 && !r->keyed && write_body(r, w) < 0)
		return -1;
	return (int64_t)r->left;
}

/* A refusal that no repeat would change is the verdict. */
static void
learn_all(
    struct send_request *r, struct line_window *w, const struct http_verdict *v)
{
	bool refused =
	    v->fault == FAULT_UNAVAILABLE && v->kind != HTTP_VERDICT_RETRY;
	uint64_t at = 0;
	struct line_window_line *l;

	while ((l = next_open(r, w, &at)) != NULL) {
		if (refused)
			settle(r, w, l, line_window_doubt(l));
		else
			learn(r, w, l, v->fault);
	}
}

/* A line without an answer may have been counted. */
static void
learn_lines(
    struct send_request *r, struct line_window *w, const struct http_verdict *v)
{
	const char *text = v->text, *next = text, *end = text + v->len;
	uint64_t at = 0;
	size_t place = 0;
	struct line_window_line *l;

	while ((l = next_open(r, w, &at)) != NULL) {
		while (place < l->place && next < end) {
			const char *newline =
			    memchr(next, '\n', (size_t)(end - next));

			text = next;
			next = newline == NULL ? end : newline + 1;
			place++;
		}
		learn(r, w, l,
		    place == l->place
			? read_verdict(l, text, (size_t)(next - text))
			: FAULT_UNKNOWN);
	}
}

/* text, with its newline, is the increment or an error of its place. */
static enum fault
read_verdict(const struct line_window_line *l, const char *text, size_t len)
{
	struct control_error error;

	if (len == 0 || text[--len] != '\n')
		return FAULT_UNKNOWN;
	if (len == l->body_len && memcmp(text, l->body, len) == 0)
		return FAULT_NONE;
	if (control_kind(text, len) != CONTROL_ERROR ||
	    control_parse_error(text, len, &error) < 0 ||
	    error.line != l->place)
		return FAULT_UNKNOWN;
	return error.fault;
}

/* The line stays without a verdict if another try may bring one. */
static void
learn(struct send_request *r, struct line_window *w, struct line_window_line *l,
    enum fault fault)
{
	if (fault == FAULT_UNKNOWN && r->keyed)
		l->state = LINE_WINDOW_DOUBTFUL;
	else if (fault != FAULT_UNAVAILABLE)
		settle(r, w, l, fault);
}

static void
settle(struct send_request *r, struct line_window *w,
    struct line_window_line *l, enum fault fault)
{
	l->detail = r->detail;
	line_window_settle(w, l, fault);
	r->left--;
}

int
send_request_shorten(struct send_request *r, struct line_window *w, size_t max,
    const struct send_request_keys *keys)
{
	if (r->state != SEND_REQUEST_REPEAT || r->left != r->n || r->n <= max ||
	    is_doubtful(r, w))
		return 0;
	r->max = max;
	r->to = r->from;
	return send_request_go_on(r, w, keys);
}

int
send_request_go_on(struct send_request *r, struct line_window *w,
    const struct send_request_keys *keys)
{
	uint64_t at = r->to;
	struct line_window_line *l;

	if (r->to == r->end)
		return 0;
	r->from = r->to;
	r->to = r->end;
	r->left = 0;
	while (r->left < r->max && (l = next_open(r, w, &at)) != NULL) {
		if (r->left++ == 0)
			r->first_number = l->number;
	}
	if (r->left == r->max)
		r->to = at;
	r->until_ms = 0;
	r->detail = NULL;
	r->state = r->left > 0 ? SEND_REQUEST_REPEAT : SEND_REQUEST_FREE;
	make_key(r, keys);
	return write_body(r, w);
}

bool
send_request_may_repeat(struct send_request *r, const struct line_window *w,
    int64_t now_ms, int64_t limit_ms)
{
	if (!is_doubtful(r, w))
		r->until_ms = 0;
	else if (r->until_ms == 0)
		r->until_ms = now_ms + limit_ms;
	return r->until_ms == 0 || now_ms < r->until_ms;
}

static bool
is_doubtful(const struct send_request *r, const struct line_window *w)
{
	uint64_t at = 0;
	struct line_window_line *l;

	while ((l = next_open(r, w, &at)) != NULL)
		if (l->state == LINE_WINDOW_DOUBTFUL)
			return true;
	return false;
}

void
send_request_give_up(struct send_request *r, struct line_window *w)
{
	uint64_t at = 0;
	struct line_window_line *l;

	r->to = r->end;
	while ((l = next_open(r, w, &at)) != NULL)
		settle(r, w, l, line_window_doubt(l));
	r->left = 0;
	r->state = SEND_REQUEST_FREE;
}
