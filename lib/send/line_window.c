#include "send/line_window.h"

#include <stdlib.h>

#include "base/lines.h"
#include "record/control.h"

static enum fault judge(struct hand_line *l, const char *text, size_t len);
static int put_verdict(struct buf *out, const struct hand_line *l);

int
hand_open(struct hand *h, size_t size)
{
	*h = (struct hand){.size = size};
	h->lines = calloc(size, sizeof *h->lines);
	return h->lines == NULL ? -1 : 0;
}

void
hand_close(struct hand *h)
{
	for (size_t i = 0; i < h->size; i++)
		buf_free(&h->lines[i].text);
	free(h->lines);
}

bool
hand_full(const struct hand *h)
{
	return h->end - h->first == h->size;
}

struct hand_line *
hand_at(const struct hand *h, uint64_t i)
{
	return &h->lines[i % h->size];
}

int
hand_add(
    struct hand *h, const char *text, size_t len, bool whole, uint64_t number)
{
	struct hand_line *l = hand_at(h, h->end);
	struct buf kept = l->text;
	enum fault fault = FAULT_TOO_LONG;

	buf_clear(&kept);
	if (whole && len > 0 && buf_add(&kept, text, len) < 0)
		return -1;
	*l = (struct hand_line){.number = number, .text = kept};
	if (whole)
		fault = judge(l, text, len);
	h->end++;
	if (fault != FAULT_NONE || l->body_len == 0)
		hand_settle(h, l, fault);
	else
		h->open++;
	return 0;
}

/* An error line from a program before us is passed on: no body. */
static enum fault
judge(struct hand_line *l, const char *text, size_t len)
{
	struct record_error error;
	struct increment inc;
	enum fault fault;

	if (record_kind(text, len) == RECORD_ERROR &&
	    record_parse_error(text, len, &error) == 0)
		return FAULT_NONE;
	fault = increment_parse(text, len, &inc);
	if (fault == FAULT_NONE)
		l->body_len = increment_format(&inc, l->body);
	return fault;
}

void
hand_settle(struct hand *h, struct hand_line *l, enum fault fault)
{
	l->state = HAND_ANSWERED;
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
hand_waiting(const struct hand *h)
{
	return h->open > 0;
}

void
hand_give_up(struct hand *h)
{
	for (; h->open > 0; h->next++)
		if (hand_at(h, h->next)->state == HAND_OPEN) {
			h->open--;
			hand_settle(h, hand_at(h, h->next), FAULT_UNAVAILABLE);
		}
}

struct hand_line *
hand_next(struct hand *h)
{
	struct hand_line *l;

	if (h->open == 0)
		return NULL;
	do
		l = hand_at(h, h->next++);
	while (l->state == HAND_ANSWERED);
	h->open--;
	return l;
}

enum fault
hand_doubt(const struct hand_line *l)
{
	return l->maybe ? FAULT_UNKNOWN : FAULT_UNAVAILABLE;
}

bool
hand_has_verdict(const struct hand *h)
{
	return h->first < h->end &&
	       hand_at(h, h->first)->state == HAND_ANSWERED;
}

int
hand_release(struct hand *h, struct buf *out, size_t max)
{
	while (hand_has_verdict(h) && out->len < max) {
		if (put_verdict(out, hand_at(h, h->first)) < 0)
			return -1;
		h->first++;
		if (h->next < h->first)
			h->next = h->first;
	}
	return 0;
}

static int
put_verdict(struct buf *out, const struct hand_line *l)
{
	struct record_error error = {.fault = l->fault, .line = l->number};

	if (l->fault == FAULT_NONE)
		return lines_put(out, buf_ptr(&l->text), l->text.len);
	return record_add_error(out, &error);
}
