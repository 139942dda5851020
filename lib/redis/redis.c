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
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/failpoint.h"
#include "base/io.h"
#include "base/num.h"
#include "base/reason.h"

enum {
	READS_MAX = 64 /* of 16 KiB each, before others get their turn */
};

#define TOO_LARGE "the reply is larger than any can be"

/* hiredis's own createArray, which create_array calls within the bound. */
static void *(*create_any)(const redisReadTask *task, int n);

/* How large the reply is that is being read. */
struct extent {
	size_t bytes, parts, bytes_max, parts_max;
	bool refused; /* it had more parts */
};

struct redis {
	redisContext *context;
	struct tls *tls; /* NULL: none */
	struct extent extent;
};

static struct redis *checked(redisContext *c, char ret_why[REASON_MAX]);
static void notice_gone(int fd);
static ssize_t send_plain(struct redis *r, const struct iovec part[REDIS_PARTS],
    size_t done, char ret_why[REASON_MAX]);
static ssize_t send_record(struct redis *r,
    const struct iovec part[REDIS_PARTS], size_t done, size_t *handed,
    char ret_why[REASON_MAX]);
static size_t skip_bytes(struct iovec *part, size_t n);
static ssize_t read_plain(redisContext *c, char ret_why[REASON_MAX]);
static ssize_t read_record(struct redis *r, char ret_why[REASON_MAX]);
static void bound_parts(redisReader *reader, struct extent *extent);
static void *create_array(const redisReadTask *task, int n);
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
	struct redis *r = checked(redisConnectNonBlock(address, port), ret_why);

	if (r != NULL)
		notice_gone(redis_fd(r));
	return r;
}

/* A peer that is not there any more is an error on the socket after
 * REDIS_SILENCE_MS, also while nothing is sent. */
static void
notice_gone(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
	    {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, 3}, /* seconds */
	    {IPPROTO_TCP, TCP_KEEPINTVL, 1},
	    {IPPROTO_TCP, TCP_KEEPCNT, 2},
	    {IPPROTO_TCP, TCP_USER_TIMEOUT, REDIS_SILENCE_MS},
	};

	/* Without them only time is lost. */
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		(void)setsockopt(fd, options[i].level, options[i].name,
		    &options[i].value, sizeof options[i].value);
}

static struct redis *
checked(redisContext *c, char ret_why[REASON_MAX])
{
	struct redis *r = NULL;

	if (c != NULL && c->err == 0 && io_nonblock(c->fd) == 0)
		r = calloc(1, sizeof *r);
	if (r != NULL) {
		r->context = c;
		bound_parts(c->reader, &r->extent);
		redis_bound(r, false);
		return r;
	}
	reason_set(ret_why, "connect: %s",
	    c == NULL || c->err == 0 ? strerror(errno) : c->errstr);
	redisFree(c);
	return NULL;
}

void
redis_close(struct redis *r)
{
	if (r == NULL)
		return;
	tls_close(r->tls);
	redisFree(r->context);
	free(r);
}

int
redis_fd(const struct redis *r)
{
	return r->context->fd;
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
redis_secure(struct redis *r, const struct tls_files *files, const char *host,
    char ret_why[REASON_MAX])
{
	r->tls = tls_open(redis_fd(r), files, host, ret_why);
	return r->tls == NULL ? -1 : 0;
}

int
redis_secured(struct redis *r, char ret_why[REASON_MAX])
{
	return tls_handshake(r->tls, ret_why);
}

bool
redis_refused(const struct redis *r)
{
	return r->tls != NULL && tls_refused(r->tls);
}

int64_t
redis_expiry(const struct redis *r, bool own)
{
	return r->tls == NULL ? 0 : tls_expiry(r->tls, own);
}

short
redis_events(const struct redis *r)
{
	return POLLIN | (r->tls == NULL ? 0 : tls_events(r->tls));
}

int
redis_send(struct redis *r, const struct iovec part[REDIS_PARTS], size_t *done,
    size_t *handed, char ret_why[REASON_MAX])
{
	size_t all = redis_parts_len(part);

	while (*done < all) {
		ssize_t n = r->tls == NULL
				? send_plain(r, part, *done, ret_why)
				: send_record(r, part, *done, handed, ret_why);

		if (n <= 0)
			return (int)n;
		*done += (size_t)n;
		if (*handed < *done)
			*handed = *done;
	}
	return 0;
}

/* Returns how many bytes went; -1 with the reason. */
static ssize_t
send_plain(struct redis *r, const struct iovec part[REDIS_PARTS], size_t done,
    char ret_why[REASON_MAX])
{
	struct iovec iov[REDIS_PARTS];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = REDIS_PARTS};
	size_t whole;
	ssize_t n;

	memcpy(iov, part, sizeof iov);
	for (int i = 0; i < REDIS_PARTS; i++)
		done -= skip_bytes(&iov[i], done);
	whole = iov[1].iov_len;
	FAILPOINT_SHORTEN("publish-half", iov[1].iov_base, iov[1].iov_len);
	if (iov[1].iov_len < whole)
		msg.msg_iovlen = 2;
	do
		n = sendmsg(redis_fd(r), &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0)
		return reason_set(ret_why, "send: %s", strerror(errno));
	return n;
}

/* The same over TLS.  What a record has of the parts is the same at each try,
 * as tls_send wants it. */
static ssize_t
send_record(struct redis *r, const struct iovec part[REDIS_PARTS], size_t done,
    size_t *handed, char ret_why[REASON_MAX])
{
	char record[TLS_RECORD_MAX];
	size_t len = 0, from = done;

	for (int i = 0; i < REDIS_PARTS; i++) {
		struct iovec left = part[i];
		size_t n;

		done -= skip_bytes(&left, done);
		n = num_min_size(left.iov_len, sizeof record - len);
		if (n > 0)
			memcpy(record + len, left.iov_base, n);
		len += n;
	}
	*handed = from + len;
	return tls_send(r->tls, record, len, ret_why);
}

/* Skips n bytes, or all if there are fewer: how many.  A part without bytes may
 * be NULL, to which not even 0 may be added. */
static size_t
skip_bytes(struct iovec *part, size_t n)
{
	n = num_min_size(n, part->iov_len);
	if (n == 0)
		return 0;
	part->iov_base = (char *)part->iov_base + n;
	part->iov_len -= n;
	return n;
}

size_t
redis_parts_len(const struct iovec part[REDIS_PARTS])
{
	size_t n = 0;

	for (int i = 0; i < REDIS_PARTS; i++)
		n += part[i].iov_len;
	return n;
}

int
redis_receive(struct redis *r, struct redis_reply **ret, bool *ret_moved,
    char ret_why[REASON_MAX])
{
	redisContext *c = r->context;
	void *reply = NULL;

	*ret = NULL;
	*ret_moved = false;
	for (int reads = 0;; reads++) {
		ssize_t n;

		if (redisGetReplyFromReader(c, &reply) != REDIS_OK)
			return reason_set(ret_why, "receive: %s",
			    r->extent.refused ? TOO_LARGE : c->errstr);
		*ret = reply;
		if (reply != NULL)
			r->extent.bytes = r->extent.parts = 0;
		if (reply != NULL || reads == READS_MAX)
			return 0;
		if (r->extent.bytes > r->extent.bytes_max)
			return reason_set(ret_why, "receive: " TOO_LARGE);
		n = r->tls == NULL ? read_plain(c, ret_why)
				   : read_record(r, ret_why);
		if (n <= 0)
			return (int)n;
		r->extent.bytes += (size_t)n;
		*ret_moved = true;
	}
}

void
redis_bound(struct redis *r, bool large)
{
	r->extent.bytes_max = large ? REDIS_LARGE_BYTES : REDIS_SMALL_BYTES;
	r->extent.parts_max = large ? REDIS_LARGE_PARTS : REDIS_SMALL_PARTS;
}

size_t
redis_received(const struct redis *r)
{
	return r->extent.bytes;
}

/* hiredis makes room for an array as soon as its length is there. */
static void
bound_parts(redisReader *reader, struct extent *extent)
{
	static redisReplyObjectFunctions functions;

	if (functions.createArray == NULL) {
		functions = *reader->fn;
		create_any = functions.createArray;
		functions.createArray = create_array;
	}
	reader->fn = &functions;
	reader->privdata = extent;
}

static void *
create_array(const redisReadTask *task, int n)
{
	struct extent *extent = task->privdata;

	if (task->parent == NULL)
		extent->parts = 0;
	extent->refused =
	    n < 0 || (size_t)n > extent->parts_max - extent->parts;
	if (extent->refused)
		return NULL;
	extent->parts += (size_t)n;
	return create_any(task, n);
}

/* Returns how many bytes came; -1 with the reason. */
static ssize_t
read_plain(redisContext *c, char ret_why[REASON_MAX])
{
	size_t before = c->reader->len - c->reader->pos;

	if (redisBufferRead(c) != REDIS_OK)
		return reason_set(ret_why, "receive: %s", c->errstr);
	return (ssize_t)(c->reader->len - c->reader->pos - before);
}

/* The same over TLS. */
static ssize_t
read_record(struct redis *r, char ret_why[REASON_MAX])
{
	char record[TLS_RECORD_MAX];
	ssize_t n = tls_receive(r->tls, record, sizeof record, ret_why);

	if (n > 0 &&
	    redisReaderFeed(r->context->reader, record, (size_t)n) != REDIS_OK)
		return reason_set(
		    ret_why, "receive: %s", r->context->reader->errstr);
	return n;
}

/* -- replies ------------------------------------------------------------- */

static const redisReply *
unwrap(const struct redis_reply *p)
{
	return (const redisReply *)(const void *)p;
}

struct redis_reply *
redis_reply_parse(const char *bytes, size_t len)
{
	redisReader *reader = redisReaderCreate();
	struct extent extent = {.parts_max = REDIS_LARGE_PARTS};
	void *reply = NULL;

	if (reader == NULL)
		return NULL;
	bound_parts(reader, &extent);
	if (redisReaderFeed(reader, bytes, len) != REDIS_OK ||
	    redisReaderGetReply(reader, &reply) != REDIS_OK)
		reply = NULL;
	redisReaderFree(reader);
	return reply;
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

bool
redis_reply_is_list(const struct redis_reply *p)
{
	const redisReply *reply = unwrap(p);

	return reply != NULL && reply->type == REDIS_REPLY_ARRAY;
}

bool
redis_reply_is_nil(const struct redis_reply *p)
{
	const redisReply *reply = unwrap(p);

	return reply != NULL && reply->type == REDIS_REPLY_NIL;
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
