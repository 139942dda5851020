/* Sends two parts over a connection, as many bytes at a time as go. */
#include "redis/sending.h"

void
sending_start(struct sending *x, const struct buf *b, struct iovec more)
{
	*x = (struct sending){.part[1] = more};
	if (b != NULL)
		x->part[0] = (struct iovec){buf_ptr(b), b->len};
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
	return x->done < x->part[0].iov_len + x->part[1].iov_len;
}

bool
sending_handed(const struct sending *x)
{
	return x->handed == x->part[0].iov_len + x->part[1].iov_len;
}
