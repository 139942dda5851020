#include "send/line_window.h"

#include <stdlib.h>

#include "base/lines.h"
#include "record/control.h"

static enum fault judge(
    struct line_window_line *l, const char *text, size_t len);
static int put_verdict(struct buf *out, const struct line_window_line *l);

int
line_window_open(struct line_window *h, size_t size)
{
	*h = (struct line_window){.size = size};
	h->lines = calloc(size, sizeof *h->lines);
	return h->lines == NULL ? -1 : 0;
}

void
line_window_close(struct line_window *h)
{
	for (size_t i = 0; i < h->size; i++)
		buf_free(&h->lines[i].text);
	free(h->lines);
}

bool
line_window_full(const struct line_window *h)
{
	return h->end - h->first == h->size;
}

struct line_window_line *
line_window_at(const struct line_window *h, uint64_t i)
{
	return &h->lines[i % h->size];
}

int
line_window_add(struct line_window *h, const char *text, size_t len, bool whole,
    uint64_t number)
{
	struct line_window_line *l = line_window_at(h, h->end);
	struct buf kept = l->text;
	enum fault fault = FAULT_TOO_LONG;

	buf_clear(&kept);
	if (whole && len > 0 && buf_add(&kept, text, len) < 0)
		return -1;
	*l = (struct line_window_line){.number = number, .text = kept};
	if (whole)
		fault = judge(l, text, len);
	h->end++;
	if (fault != FAULT_NONE || l->body_len == 0)
		line_window_settle(h, l, fault);
	else
		h->open++;
	return 0;
}

/* An error line from a program before us is passed on: no body. */
static enum fault
judge(struct line_window_line *l, const char *text, size_t len)
{
	struct control_error error;
	struct increment inc;
	enum fault fault;

	if (control_kind(text, len) == CONTROL_ERROR &&
	    control_parse_error(text, len, &error) == 0)
		return FAULT_NONE;
	fault = increment_parse(text, len, &inc);
	if (fault == FAULT_NONE)
		l->body_len = increment_format(&inc, l->body);
	return fault;
}

void
line_window_settle(
    struct line_window *h, struct line_window_line *l, enum fault fault)
{
	l->state = LINE_WINDOW_ANSWERED;
	l->fault = fault;
	if (fault == FAULT_NONE && l->body_len > 0)
		h->delivered++;
	else if (fault == FAULT_UNAVAILABLE)
		h->unavailable++;
	else if (fault == FAULT_UNKNOWN)
		h->unknown++;
	else if (h->rejected++ == 0) {
		h->first_rejected = l->number;
		h->first_fault = fault;
	}
}

bool
line_window_waiting(const struct line_window *h)
{
	return h->open > 0;
}

void
line_window_give_up(struct line_window *h)
{
	for (; h->open > 0; h->next++)
		if (line_window_at(h, h->next)->state == LINE_WINDOW_OPEN) {
			h->open--;
			line_window_settle(
			    h, line_window_at(h, h->next), FAULT_UNAVAILABLE);
		}
}

struct line_window_line *
line_window_next(struct line_window *h)
{
	struct line_window_line *l;

	if (h->open == 0)
		return NULL;
	do
		l = line_window_at(h, h->next++);
	while (l->state == LINE_WINDOW_ANSWERED);
	h->open--;
	return l;
}

enum fault
line_window_doubt(const struct line_window_line *l)
{
	return l->maybe ? FAULT_UNKNOWN : FAULT_UNAVAILABLE;
}

bool
line_window_has_verdict(const struct line_window *h)
{
	return h->first < h->end &&
	       line_window_at(h, h->first)->state == LINE_WINDOW_ANSWERED;
}

int
line_window_release(struct line_window *h, struct buf *out, size_t max)
{
	while (line_window_has_verdict(h) && out->len < max) {
		if (put_verdict(out, line_window_at(h, h->first)) < 0)
			return -1;
		h->first++;
		if (h->next < h->first)
			h->next = h->first;
	}
	return 0;
}

static int
put_verdict(struct buf *out, const struct line_window_line *l)
{
	struct control_error error = {.fault = l->fault, .line = l->number};

	if (l->fault == FAULT_NONE)
		return lines_put(out, buf_ptr(&l->text), l->text.len);
	return control_add_error(out, &error);
}
