/* Keeps input lines in order until each has its verdict. */
#include "send/line_window.h"

#include <stdlib.h>

#include "base/lines.h"
#include "record/control.h"

static enum fault judge(
    struct line_window_line *l, const char *text, size_t len);
static int put_verdict(struct buf *out, const struct line_window_line *l);

int
line_window_open(struct line_window *w, size_t size)
{
	*w = (struct line_window){.size = size};
	w->lines = calloc(size, sizeof *w->lines);
	return w->lines == NULL ? -1 : 0;
}

void
line_window_close(struct line_window *w)
{
	for (size_t i = 0; i < w->size; i++)
		buf_free(&w->lines[i].text);
	free(w->lines);
}

bool
line_window_full(const struct line_window *w)
{
	return w->end - w->first == w->size;
}

struct line_window_line *
line_window_at(const struct line_window *w, uint64_t i)
{
	return &w->lines[i % w->size];
}

int
line_window_add(struct line_window *w, const char *text, size_t len, bool whole,
    uint64_t number)
{
	struct line_window_line *l = line_window_at(w, w->end);
	struct buf kept = l->text;
	enum fault fault = FAULT_TOO_LONG;

	buf_clear(&kept);
	if (whole && len > 0 && buf_add(&kept, text, len) < 0)
		return -1;
	*l = (struct line_window_line){.number = number, .text = kept};
	if (whole)
		fault = judge(l, text, len);
	w->end++;
	if (fault != FAULT_NONE || l->body_len == 0)
		line_window_settle(w, l, fault);
	else
		w->waiting++;
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
    struct line_window *w, struct line_window_line *l, enum fault fault)
{
	l->state = LINE_WINDOW_ANSWERED;
	l->fault = fault;
	if (fault == FAULT_NONE && l->body_len > 0)
		w->delivered++;
	else if (fault == FAULT_UNAVAILABLE)
		w->unavailable++;
	else if (fault == FAULT_UNKNOWN)
		w->unknown++;
	else if (w->rejected++ == 0) {
		w->first_rejected = l->number;
		w->first_fault = fault;
	}
}

bool
line_window_waiting(const struct line_window *w)
{
	return w->waiting > 0;
}

const struct line_window_line *
line_window_peek(const struct line_window *w)
{
	uint64_t i = w->next;

	if (w->waiting == 0)
		return NULL;
	while (line_window_at(w, i)->state != LINE_WINDOW_WAITING)
		i++;
	return line_window_at(w, i);
}

struct line_window_line *
line_window_next(struct line_window *w)
{
	struct line_window_line *l;

	if (w->waiting == 0)
		return NULL;
	do
		l = line_window_at(w, w->next++);
	while (l->state != LINE_WINDOW_WAITING);
	l->state = LINE_WINDOW_ASKED;
	w->waiting--;
	return l;
}

void
line_window_give_up(struct line_window *w, const char *detail)
{
	struct line_window_line *l;

	while ((l = line_window_next(w)) != NULL) {
		l->detail = detail;
		line_window_settle(w, l, FAULT_UNAVAILABLE);
	}
}

enum fault
line_window_doubt(const struct line_window_line *l)
{
	return l->state == LINE_WINDOW_DOUBTFUL ? FAULT_UNKNOWN
						: FAULT_UNAVAILABLE;
}

bool
line_window_has_verdict(const struct line_window *w)
{
	return w->first < w->end &&
	       line_window_at(w, w->first)->state == LINE_WINDOW_ANSWERED;
}

int
line_window_release(struct line_window *w, struct buf *out, size_t max)
{
	while (line_window_has_verdict(w) && out->len < max) {
		if (put_verdict(out, line_window_at(w, w->first)) < 0)
			return -1;
		w->first++;
		if (w->next < w->first)
			w->next = w->first;
	}
	return 0;
}

static int
put_verdict(struct buf *out, const struct line_window_line *l)
{
	struct control_error error = {.fault = l->fault, .line = l->number};

	if (l->fault == FAULT_NONE)
		return lines_put(out, buf_ptr(&l->text), l->text.len);
	if (l->fault == FAULT_UNAVAILABLE)
		error.detail = l->detail;
	return control_add_error(out, &error);
}
