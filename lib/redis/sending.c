/* Sends what has a few parts over a connection, as many bytes at a time as go.
 */
#include "redis/sending.h"

#include <string.h>

void
sending_start(struct sending *x, const struct buf *b)
{
	*x = (struct sending){.done = 0};
	if (b != NULL)
		x->part[0] = (struct iovec){buf_ptr(b), b->len};
}

void
sending_start_parts(struct sending *x, const struct buf *b,
    const struct iovec more[REDIS_PARTS - 1])
{
	sending_start(x, b);
	memcpy(x->part + 1, more, (REDIS_PARTS - 1) * sizeof *more);
}

int
sending_step(struct sending *x, struct redis *r, bool *ret_moved,
    char ret_why[REASON_MAX])
{
	size_t before = x->done;
	int result = redis_send(r, x->part, &x->done, &x->handed, ret_why);

	*ret_moved = x->done > before;
	return result;
}

bool
sending_unsent(const struct sending *x)
{
	return x->done < redis_parts_len(x->part);
}

bool
sending_handed(const struct sending *x)
{
	return x->handed == redis_parts_len(x->part);
}
