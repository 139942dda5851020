/* Grows a buffer at its end and drops bytes from its front. */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_MIN = 512 };

static void to_front(struct buf *b);

char *
buf_enlarge(struct buf *b, size_t n)
{
	size_t cap = b->cap < BUF_MIN ? BUF_MIN : b->cap;
	char *data;

	if (n > SIZE_MAX / 4 - b->len) {
		errno = ENOMEM;
		return NULL;
	}
	/* Moved only if that frees half of the memory or more, so that each
	 * byte is moved once on average. */
	if (b->head >= b->cap / 2 && b->cap - b->len >= n && b->cap > 0) {
		to_front(b);
		return b->data + b->len;
	}
	while (cap - b->len < n)
		cap *= 2;
	to_front(b);
	data = realloc(b->data, cap);
	if (data == NULL)
		return NULL;
	b->data = data;
	b->cap = cap;
	return b->data + b->len;
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	char *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	to = n < 0 ? NULL : buf_room(b, (size_t)n + 1);
	if (to != NULL) {
		vsnprintf(to, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	return to == NULL ? -1 : 0;
}

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

static void
to_front(struct buf *b)
{
	if (b->head > 0 && b->len > 0)
		memmove(b->data, b->data + b->head, b->len);
	b->head = 0;
}
