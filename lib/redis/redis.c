/*
 * Sends bytes to Redis and receives whole replies, by hiredis.
 *
 * Nothing is repeated here.  Requests are sent with sendmsg(2), not by
 * hiredis, so that large ones are not copied and a closed connection is EPIPE
 * without SIGPIPE.
 */
#include "redis/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/failpoint.h"
#include "base/io.h"
#include "base/num.h"
#include "base/reason.h"

enum { READS_MAX = 64 /* of 16 KiB each, before others get their turn */ };

static struct redis *checked(redisContext *c, char ret_why[REASON_MAX]);
static redisContext *context(const struct redis *r);
static void skip_bytes(struct iovec *part, size_t n);
static const redisReply *unwrap(const struct redis_reply *p);

size_t
redis_path_max(void)
{
	return sizeof((struct sockaddr_un *)0)->sun_path - 1;
}

struct redis *
redis_connect_unix(const char *path, char ret_why[REASON_MAX])
{
	return checked(redisConnectUnixNonBlock(path), ret_why);
}

struct redis *
redis_connect_tcp(const char *address, int port, char ret_why[REASON_MAX])
{
	return checked(redisConnectNonBlock(address, port), ret_why);
}

/* struct redis is hiredis's context, whose name stays in this file. */
static struct redis *
checked(redisContext *c, char ret_why[REASON_MAX])
{
	if (c != NULL && c->err == 0 && io_nonblock(c->fd) == 0)
		return (struct redis *)(void *)c;
	reason_set(ret_why, "connect: %s",
	    c == NULL || c->err == 0 ? strerror(errno) : c->errstr);
	redisFree(c);
	return NULL;
}

static redisContext *
context(const struct redis *r)
{
	return (redisContext *)(uintptr_t)r;
}

void
redis_close(struct redis *r)
{
	redisFree(context(r));
}

int
redis_fd(const struct redis *r)
{
	return context(r)->fd;
}

int
redis_connected(struct redis *r, char ret_why[REASON_MAX])
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(redis_fd(r), SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0)
		return 0;
	return reason_set(ret_why, "connect: %s", strerror(error));
}

int
redis_send(struct redis *r, const struct iovec part[2], size_t *done,
    char ret_why[REASON_MAX])
{
	size_t first = part[0].iov_len, all = first + part[1].iov_len;

	while (*done < all) {
		struct iovec iov[2] = {part[0], part[1]};
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
		size_t skip = *done < first ? *done : first;
		ssize_t n;

		skip_bytes(&iov[0], skip);
		skip_bytes(&iov[1], *done - skip);
		FAILPOINT_SHORTEN(
		    "publish-half", iov[1].iov_base, iov[1].iov_len);
		n = sendmsg(redis_fd(r), &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return reason_set(ret_why, "send: %s", strerror(errno));
		*done += (size_t)n;
	}
	return 0;
}

/* A part without bytes may be NULL, to which not even 0 may be added. */
static void
skip_bytes(struct iovec *part, size_t n)
{
	if (n == 0)
		return;
	part->iov_base = (char *)part->iov_base + n;
	part->iov_len -= n;
}

int
redis_receive(struct redis *r, struct redis_reply **ret, bool *ret_moved,
    char ret_why[REASON_MAX])
{
	redisContext *c = context(r);
	void *reply = NULL;

	*ret = NULL;
	*ret_moved = false;
	for (int reads = 0;; reads++) {
		size_t before;

		if (redisGetReplyFromReader(c, &reply) != REDIS_OK)
			break;
		*ret = reply;
		if (reply != NULL || reads == READS_MAX)
			return 0;
		before = c->reader->len - c->reader->pos;
		if (redisBufferRead(c) != REDIS_OK)
			break;
		if (c->reader->len - c->reader->pos == before)
			return 0;
		*ret_moved = true;
	}
	return reason_set(ret_why, "receive: %s", c->errstr);
}

/* -- replies ------------------------------------------------------------- */

static const redisReply *
unwrap(const struct redis_reply *p)
{
	return (const redisReply *)(const void *)p;
}

void
redis_reply_free(struct redis_reply *p)
{
	freeReplyObject(p);
}

const char *
redis_reply_error(const struct redis_reply *p)
{
	const redisReply *reply = unwrap(p);

	return reply != NULL && reply->type == REDIS_REPLY_ERROR ? reply->str
								 : NULL;
}

size_t
redis_reply_count(const struct redis_reply *p)
{
	const redisReply *reply = unwrap(p);

	return reply != NULL && reply->type == REDIS_REPLY_ARRAY
		   ? reply->elements
		   : 0;
}

const struct redis_reply *
redis_reply_at(const struct redis_reply *p, size_t i)
{
	if (i >= redis_reply_count(p))
		return NULL;
	return (const struct redis_reply *)(const void *)unwrap(p)->element[i];
}

const char *
redis_reply_text(const struct redis_reply *p, size_t *ret_len)
{
	const redisReply *reply = unwrap(p);

	if (reply == NULL || (reply->type != REDIS_REPLY_STRING &&
				 reply->type != REDIS_REPLY_STATUS))
		return NULL;
	*ret_len = reply->len;
	return reply->str;
}

int64_t
redis_reply_int(const struct redis_reply *p, int64_t fallback)
{
	const redisReply *reply = unwrap(p);
	size_t len;
	const char *text = redis_reply_text(p, &len);
	uint64_t n;

	if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
		return reply->integer;
	if (text == NULL || num_u64(text, 0, INT64_MAX, &n) < 0)
		return fallback;
	return (int64_t)n;
}
