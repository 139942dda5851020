#include "send/send_request.h"

#include <string.h>

#include "base/lines.h"
#include "record/control.h"

static void learn_lines(struct send_request *p, struct line_window *h,
    const struct http_verdict *v);
static enum fault read_verdict(
    const struct line_window_line *l, const char *text, size_t len);
static void learn(struct send_request *p, struct line_window *h,
    struct line_window_line *l, enum fault fault);
static void settle(struct send_request *p, struct line_window *h,
    struct line_window_line *l, enum fault fault);
static struct line_window_line *next_own(
    const struct send_request *p, const struct line_window *h, uint64_t *at);
static int write_body(struct send_request *p, const struct line_window *h);

int
send_request_fill(
    struct send_request *p, struct line_window *h, size_t max, bool keyed)
{
	struct id id;

	p->keyed = keyed;
	p->n = p->left = 0;
	p->from = h->next;
	while (p->left < max && line_window_next(h) != NULL)
		p->left++;
	p->to = h->next;
	if (keyed) {
		id_make(&id);
		id_format(&id, p->key);
	}
	return write_body(p, h);
}

/* The lines that have no verdict. */
static int
write_body(struct send_request *p, const struct line_window *h)
{
	uint64_t at = 0;
	struct line_window_line *l;

	buf_clear(&p->body);
	p->n = 0;
	while ((l = next_own(p, h, &at)) != NULL) {
		if (lines_put(&p->body, l->body, l->body_len) < 0)
			return -1;
		l->place = ++p->n;
	}
	return 0;
}

/* The next line without a verdict from *at on, NULL if there is none.  What
 * was let go of had one. */
static struct line_window_line *
next_own(
    const struct send_request *p, const struct line_window *h, uint64_t *at)
{
	if (*at < p->from)
		*at = p->from;
	if (*at < h->first)
		*at = h->first;
	while (*at < p->to) {
		struct line_window_line *l = line_window_at(h, (*at)++);

		if (l->state == LINE_WINDOW_OPEN)
			return l;
	}
	return NULL;
}

int64_t
send_request_learn(
    struct send_request *p, struct line_window *h, const struct http_verdict *v)
{
	uint64_t at = 0;
	struct line_window_line *l;

	if (v->kind == HTTP_VERDICT_LINES)
		learn_lines(p, h, v);
	while (v->kind != HTTP_VERDICT_LINES &&
	       (l = next_own(p, h, &at)) != NULL) {
		if (v->kind == HTTP_VERDICT_ALL &&
		    v->fault == FAULT_UNAVAILABLE)
			settle(p, h, l, line_window_doubt(l));
		else
			learn(p, h, l, v->fault);
	}
	/* With a key it is repeated as it was. */
	if (p->left > 0 && !p->keyed && write_body(p, h) < 0)
		return -1;
	return (int64_t)p->left;
}

/* A line without an answer may have been counted. */
static void
learn_lines(
    struct send_request *p, struct line_window *h, const struct http_verdict *v)
{
	const char *text = v->text, *next = text, *end = text + v->len;
	uint64_t at = 0;
	size_t place = 0;
	struct line_window_line *l;

	while ((l = next_own(p, h, &at)) != NULL) {
		while (place < l->place && next < end) {
			const char *newline =
			    memchr(next, '\n', (size_t)(end - next));

			text = next;
			next = newline == NULL ? end : newline + 1;
			place++;
		}
		learn(p, h, l,
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

static void
learn(struct send_request *p, struct line_window *h, struct line_window_line *l,
    enum fault fault)
{
	if (fault == FAULT_UNKNOWN && p->keyed)
		l->maybe = true;
	else if (fault != FAULT_UNAVAILABLE)
		settle(p, h, l, fault);
}

static void
settle(struct send_request *p, struct line_window *h,
    struct line_window_line *l, enum fault fault)
{
	line_window_settle(h, l, fault);
	p->left--;
}

bool
send_request_doubtful(const struct send_request *p, const struct line_window *h)
{
	uint64_t at = 0;
	struct line_window_line *l;

	while ((l = next_own(p, h, &at)) != NULL)
		if (l->maybe)
			return true;
	return false;
}

void
send_request_give_up(struct send_request *p, struct line_window *h)
{
	uint64_t at = 0;
	struct line_window_line *l;

	while ((l = next_own(p, h, &at)) != NULL)
		settle(p, h, l, line_window_doubt(l));
}
