/* Two ring buffers of lines without a verdict: written, and not yet. */
#include "serve/inflight.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes16.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/num.h"

static void copy_blank(char *to, const char *from, size_t len);
static void mark_written(struct inflight *r, size_t n);

int
inflight_open(
    struct inflight *r, uint64_t max_lines, uint64_t max_bytes, bool tagged)
{
	*r = (struct inflight){
	    .cap = max_lines, .max_bytes = max_bytes, .tagged = tagged};
	r->sent = calloc(max_lines, sizeof *r->sent);
	r->held = calloc(max_lines, sizeof *r->held);
	return r->sent == NULL || r->held == NULL ? -1 : 0;
}

void
inflight_close(struct inflight *r)
{
	free(r->sent);
	free(r->held);
	buf_free(&r->out);
	*r = (struct inflight){0};
}

int
inflight_add(struct inflight *r, void *owner, uint32_t number,
    const struct inflight_text *text, int64_t now_ms)
{
	size_t prefix = r->tagged ? text->tag_len + 1 : 0, len = text->len;
	char *to;

	if (inflight_full(r))
		return -1;
	to = buf_room(&r->out, prefix + len + 1);
	if (to == NULL)
		return -1;
	if (r->tagged) {
		memcpy(to, text->tag, text->tag_len);
		to += text->tag_len;
		*to++ = '\t';
	}
	copy_blank(to, text->body, len);
	to[len] = '\n';
	buf_grow(&r->out, prefix + len + 1);
	r->held[r->added++ % r->cap] = (struct inflight_line){.owner = owner,
	    .at_ms = now_ms,
	    .len = (uint32_t)(prefix + len + 1),
	    .number = number};
	return 0;
}

/* Line feeds and carriage returns become spaces. */
static inline bytes16
blank(bytes16 c)
{
	bytes16 is_end = (bytes16)((c == '\n') | (c == '\r'));

	return (c & ~is_end) | (' ' & is_end);
}

static void
copy_blank(char *to, const char *from, size_t len)
{
	enum { SIZE = sizeof(bytes16) };
	size_t i = 0;

	for (; i + SIZE <= len; i += SIZE)
		bytes16_store(to + i, blank(bytes16_load(from + i)));
	if (i == 0)
		for (; i < len; i++)
			to[i] =
			    from[i] == '\n' || from[i] == '\r' ? ' ' : from[i];
	else if (i < len)
		bytes16_store(
		    to + len - SIZE, blank(bytes16_load(from + len - SIZE)));
}

int
inflight_write(struct inflight *r, int fd)
{
	while (r->out.len > 0) {
		int64_t n = io_write_some(fd, buf_ptr(&r->out),
		    FAILPOINT_CUT("serve-half", buf_ptr(&r->out), r->out.len));

		if (n < 0)
			return -1;
		mark_written(r, (size_t)n);
		FAILPOINT("serve-written");
	}
	return 0;
}

static void
mark_written(struct inflight *r, size_t n)
{
	size_t of_rest = num_min_size(n, r->rest);

	buf_drop(&r->out, n);
	r->rest -= of_rest;
	n -= of_rest;
	while (n > 0) {
		struct inflight_line *l = &r->held[r->first++ % r->cap];
		size_t len = l->len;

		r->sent[r->begun++ % r->cap] = *l;
		if (len > n)
			r->rest = len - n;
		n -= num_min_size(len, n);
	}
}

int
inflight_verdict(
    struct inflight *r, struct inflight_line *ret_line, uint64_t *ret_number)
{
	if (r->answered == r->begun ||
	    (r->answered + 1 == r->begun && r->rest > 0))
		return -1;
	*ret_line = r->sent[r->answered % r->cap];
	*ret_number = ++r->answered;
	if (r->expired < r->answered)
		r->expired = r->answered;
	return 0;
}

enum inflight_expired
inflight_expire(
    struct inflight *r, int64_t then_ms, struct inflight_line *ret_line)
{
	struct inflight_line *sent = &r->sent[r->expired % r->cap];

	if (inflight_next(r) > then_ms)
		return INFLIGHT_NONE;
	if (r->expired < r->begun) {
		*ret_line = *sent;
		sent->owner = NULL;
		r->expired++;
		return INFLIGHT_UNKNOWN;
	}
	return inflight_withdraw(r, ret_line) ? INFLIGHT_WITHDRAWN
					      : INFLIGHT_NONE;
}

bool
inflight_withdraw(struct inflight *r, struct inflight_line *ret_line)
{
	const struct inflight_line *l = &r->held[r->first % r->cap];
	char *from = buf_ptr(&r->out);

	if (r->first == r->added)
		return false;
	*ret_line = *l;
	/* The unwritten rest of the line before it takes its place. */
	memmove(from + l->len, from, r->rest);
	buf_drop(&r->out, l->len);
	r->first++;
	return true;
}

bool
inflight_full(const struct inflight *r)
{
	return inflight_count(r) >= r->cap || r->out.len >= r->max_bytes;
}

int64_t
inflight_next(const struct inflight *r)
{
	if (r->expired < r->begun)
		return r->sent[r->expired % r->cap].at_ms;
	return r->first == r->added ? IO_FOREVER
				    : r->held[r->first % r->cap].at_ms;
}

int64_t
inflight_oldest(const struct inflight *r)
{
	if (r->answered < r->begun)
		return r->sent[r->answered % r->cap].at_ms;
	return r->first == r->added ? IO_FOREVER
				    : r->held[r->first % r->cap].at_ms;
}

uint64_t
inflight_count(const struct inflight *r)
{
	return r->begun - r->answered + r->added - r->first;
}
