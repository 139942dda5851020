#include "unsent.h"

#include <errno.h>
#include <sys/socket.h>

#include "point.h"

int64_t
unsent_send(struct buf *left, struct buf *more, int fd)
{
	struct buf *from = left->len > 0 ? left : more;
	ssize_t n = 0;

	if (from == left && buf_add(left, buf_ptr(more), more->len) < 0)
		return -1;
	if (from->len > 0)
		n = send(fd, buf_ptr(from),
		    POINT_CUT("serve-answer-half", buf_ptr(from), from->len),
		    MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (n < 0)
		n = 0;
	buf_drop(from, (size_t)n);
	if (from == more && from->len > 0 &&
	    buf_add(left, buf_ptr(from), from->len) < 0)
		return -1;
	if (left->len == 0)
		buf_free(left);
	if (n > 0)
		POINT("serve-answer");
	return n;
}
