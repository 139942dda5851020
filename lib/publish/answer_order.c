/* Puts answers of several sources in order. */
#include "publish/answer_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int
answer_order_open(struct answer_order *o, size_t cap)
{
	*o = (struct answer_order){.cap = cap};
	assert(cap > 0 && (cap & (cap - 1)) == 0);
	o->ring = malloc(cap * sizeof *o->ring);
	return o->ring == NULL ? -1 : 0;
}

void
answer_order_close(struct answer_order *o)
{
	free(o->ring);
	*o = (struct answer_order){0};
}

void
answer_order_add(struct answer_order *o, uint16_t source)
{
	assert(o->n < o->cap);
	o->ring[(o->first + o->n++) & (o->cap - 1)] = source;
}

/* Moves a line.  1, 0 if there is none, or -1 if memory is gone. */
static int
move_line(struct buf *from, struct buf *out)
{
	const char *text = buf_ptr(from), *end;
	size_t len;

	end = from->len == 0 ? NULL : memchr(text, '\n', from->len);
	if (end == NULL)
		return 0;
	len = (size_t)(end - text) + 1;
	if (buf_add(out, text, len) < 0)
		return -1;
	buf_drop(from, len);
	return 1;
}

int
answer_order_move(struct answer_order *o,
    struct buf *(*source)(void *ctx, uint16_t i), void *ctx, struct buf *out)
{
	while (o->n > 0) {
		int moved = move_line(source(ctx, o->ring[o->first]), out);

		if (moved <= 0)
			return moved;
		o->first = (o->first + 1) & (o->cap - 1);
		o->n--;
	}
	return 0;
}
