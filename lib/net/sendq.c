/* Sends bytes and keeps what a socket does not take. */
#include "net/sendq.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/failpoint.h"

static int keep(struct buf **left, const struct buf *rest);

int64_t
sendq_send(struct buf **left, struct buf *more, int fd)
{
	struct buf *from = *left != NULL ? *left : more;
	ssize_t n = 0;

	if (from != more && buf_add(from, buf_ptr(more), more->len) < 0)
		return -1;
	if (from->len > 0)
		n = send(fd, buf_ptr(from),
		    FAILPOINT_CUT(
			"serve-answer-half", buf_ptr(from), from->len),
		    MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (n < 0)
		n = 0;
	buf_drop(from, (size_t)n);
	if (from == more && from->len > 0 && keep(left, from) < 0)
		return -1;
	if (sendq_len(*left) == 0)
		sendq_free(left);
	if (n > 0)
		FAILPOINT("serve-answer");
	return n;
}

static int
keep(struct buf **left, const struct buf *rest)
{
	struct buf *b = calloc(1, sizeof *b);

	if (b == NULL || buf_add(b, buf_ptr(rest), rest->len) < 0) {
		free(b);
		return -1;
	}
	*left = b;
	return 0;
}

size_t
sendq_len(const struct buf *left)
{
	return left == NULL ? 0 : left->len;
}

void
sendq_free(struct buf **left)
{
	if (*left == NULL)
		return;
	buf_free(*left);
	free(*left);
	*left = NULL;
}
