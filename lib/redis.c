/*
 * One connection to one Redis.
 *
 * In: a URL, scripts, calls already encoded.  Out: replies.  A call is sent
 * once per connection and never again on another: what a lost call means
 * is for the caller, who knows whether it was sent.  The one exception is
 * NOSCRIPT, Redis's word that nothing was done.
 *
 * Requests are sent with sendmsg(2), not by hiredis, so that large ones are
 * not copied and a dead peer is EPIPE without SIGPIPE.
 *
 * The look-up of a host name (not of an address) is getaddrinfo(3) inside
 * hiredis: it may block for as long as resolv.conf(5) allows.
 */
#include "redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "backoff.h"
#include "fdio.h"
#include "num.h"
#include "tick.h"
#include "url.h"

enum {
	WHY_MAX = 256,
	SHA_LEN = 40,
	RUN_ID_MAX = 64,
	READS_MAX = 64 /* of 16 KiB each, before others get their turn */
};

enum phase {
	WAITING,    /* no connection until due_ms */
	CONNECTING, /* connect(2) is under way */
	GREETING,   /* waiting for the replies of the greeting */
	READY,      /* no call */
	CALLING,    /* waiting for the reply of a call */
	RELOADING,  /* the same, but the scripts are loaded first */
	FAULTY      /* for ever */
};

/* What each reply of a greeting answers. */
enum hello { HELLO_AUTH, HELLO_SELECT, HELLO_INFO, HELLO_LOAD };

struct redis {
	struct url_redis url;
	struct redis_options options;
	enum phase phase;
	redisContext *context; /* NULL: no connection */
	int64_t due_ms;        /* of the phase: next try, or time-out */
	struct backoff backoff;

	struct buf greeting, call; /* requests as they are sent */
	struct iovec out[2];       /* what is being sent, borrowed */
	size_t out_done;           /* bytes of it */
	struct iovec more;         /* second half of the call, borrowed */
	bool sent;

	enum hello hellos[3 + REDIS_SCRIPTS_MAX];
	size_t n_hellos, n_greeted, n_loaded;
	char shas[REDIS_SCRIPTS_MAX][SHA_LEN + 1];
	char run_id[RUN_ID_MAX];
	uint64_t run, connection;

	redisReply *reply;
	char why[WHY_MAX];
};

/* What a reply makes of the connection. */
enum verdict { FIT, UNFIT_NOW, UNFIT_FOR_EVER };

static void connect_now(struct redis *r);
static void connected(struct redis *r);
static int greet(struct redis *r, bool scripts_only);
static enum redis_state exchange(struct redis *r, short revents);
static int send_some(struct redis *r);
static int receive(struct redis *r, redisReply **ret);
static void greeted(struct redis *r, redisReply *reply);
static enum verdict judge_hello(struct redis *r, const redisReply *reply);
static enum verdict judge_info(struct redis *r, const redisReply *reply);
static enum verdict judge_error(const char *text);
static enum redis_state replied(struct redis *r, redisReply *reply);
static enum redis_state lose(struct redis *r);
static void fault(struct redis *r);
static void disconnect(struct redis *r);
static int begin(struct redis *r, const struct buf *more);
static void start_sending(
    struct redis *r, const struct buf *b, struct iovec more);
static int field(const char *info, const char *name, char *ret, size_t size);
static bool starts_with_any(const char *text, const char *const *words);

/* -- opening ------------------------------------------------------------- */

struct redis *
redis_open(
    const char *url, const struct redis_options *options, const char **ret_why)
{
	struct redis *r = calloc(1, sizeof *r);

	*ret_why = "out of memory";
	if (r == NULL)
		return NULL;
	r->options = *options;
	if (url_parse_redis(url, &r->url, ret_why) < 0) {
		free(r);
		return NULL;
	}
	/* hiredis would cut it off, and connect to something else. */
	if (strlen(r->url.path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
		*ret_why = "the path of the socket is too long";
		free(r);
		return NULL;
	}
	snprintf(r->why, sizeof r->why, "not connected yet");
	return r;
}

void
redis_close(struct redis *r)
{
	if (r == NULL)
		return;
	disconnect(r);
	freeReplyObject(r->reply);
	buf_free(&r->greeting);
	buf_free(&r->call);
	free(r);
}

/* -- the loop ------------------------------------------------------------ */

int64_t
redis_wait(const struct redis *r, struct pollfd *ret_pfd)
{
	size_t all = r->out[0].iov_len + r->out[1].iov_len;

	*ret_pfd = (struct pollfd){.fd = -1};
	if (r->context != NULL) {
		ret_pfd->fd = r->context->fd;
		ret_pfd->events = POLLIN;
		if (r->phase == CONNECTING || r->out_done < all)
			ret_pfd->events |= POLLOUT;
	}
	return r->phase == READY || r->phase == FAULTY ? FDIO_FOREVER
						       : r->due_ms;
}

enum redis_state
redis_step(struct redis *r, short revents)
{
	switch (r->phase) {
	case FAULTY: return REDIS_FAULT;
	case WAITING:
		if (tick_ms() < r->due_ms)
			return REDIS_DOWN;
		connect_now(r);
		break;
	case CONNECTING:
		if (revents != 0)
			connected(r);
		break;
	case GREETING:
	case READY:
	case CALLING:
	case RELOADING:
		if (revents != 0)
			return exchange(r, revents);
		break;
	}
	if (r->phase == FAULTY)
		return REDIS_FAULT;
	if (r->phase == READY)
		return REDIS_IDLE;
	if (r->phase != WAITING && tick_ms() >= r->due_ms) {
		snprintf(r->why, sizeof r->why, "no answer in time");
		return lose(r);
	}
	return r->phase == CALLING || r->phase == RELOADING ? REDIS_CALLING
							    : REDIS_DOWN;
}

bool
redis_idle(const struct redis *r)
{
	return r->phase == READY;
}

bool
redis_sent(const struct redis *r)
{
	return r->sent;
}

const char *
redis_why(const struct redis *r)
{
	return r->why;
}

uint64_t
redis_run(const struct redis *r)
{
	return r->run;
}

uint64_t
redis_connection(const struct redis *r)
{
	return r->connection;
}

void
redis_hang_up(struct redis *r)
{
	if (r->phase == FAULTY)
		return;
	disconnect(r);
	r->phase = WAITING;
	r->due_ms = tick_ms();
	snprintf(r->why, sizeof r->why, "hung up");
}

/* -- connecting ---------------------------------------------------------- */

static void
connect_now(struct redis *r)
{
	redisContext *c = r->url.path[0] != '\0'
			      ? redisConnectUnixNonBlock(r->url.path)
			      : redisConnectNonBlock(r->url.host, r->url.port);

	r->context = c;
	if (c == NULL || c->err != 0 || fdio_nonblock(c->fd) < 0) {
		snprintf(r->why, sizeof r->why, "connect: %s",
		    c == NULL || c->err == 0 ? strerror(errno) : c->errstr);
		lose(r);
		return;
	}
	r->phase = CONNECTING;
	r->due_ms = tick_ms() + r->options.connect_ms;
}

static void
connected(struct redis *r)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(r->context->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0) {
		snprintf(r->why, sizeof r->why, "connect: %s", strerror(error));
		lose(r);
		return;
	}
	r->phase = GREETING; /* due_ms stays: it is for both */
	if (greet(r, false) < 0)
		lose(r);
}

/* The whole greeting goes out at once, its first bad reply decides. */
static int
greet(struct redis *r, bool scripts_only)
{
	const struct url_redis *u = &r->url;
	struct resp_args a = {0};
	struct buf *out = &r->greeting;
	int failed = 0;

	buf_clear(out);
	r->n_hellos = r->n_greeted = r->n_loaded = 0;
	if (!scripts_only && (u->password[0] != '\0' || u->user[0] != '\0')) {
		r->hellos[r->n_hellos++] = HELLO_AUTH;
		resp_arg_text(&a, "AUTH");
		if (u->user[0] != '\0')
			resp_arg_text(&a, u->user);
		resp_arg_text(&a, u->password);
		failed |= buf_addf(out, "*%zu\r\n", a.n);
		failed |= buf_add(out, buf_ptr(&a.resp), a.resp.len);
	}
	if (!scripts_only) {
		r->hellos[r->n_hellos++] = HELLO_SELECT;
		r->hellos[r->n_hellos++] = HELLO_INFO;
		failed |= buf_addf(out, "SELECT %d\r\nINFO\r\n", u->db);
	}
	for (size_t i = 0; i < r->options.n_scripts; i++) {
		const char *text = r->options.scripts[i];

		r->hellos[r->n_hellos++] = HELLO_LOAD;
		failed |= buf_addf(out, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n");
		failed |= resp_encode(out, text, strlen(text));
	}
	failed |= a.failed ? -1 : 0;
	resp_args_free(&a);
	if (failed != 0) {
		snprintf(r->why, sizeof r->why, "out of memory");
		return -1;
	}
	start_sending(r, out, (struct iovec){0});
	return send_some(r);
}

/* -- sending and receiving ----------------------------------------------- */

static enum redis_state
exchange(struct redis *r, short revents)
{
	redisReply *reply = NULL;

	if (send_some(r) < 0)
		return lose(r);
	while (revents & (POLLIN | POLLHUP | POLLERR)) {
		int got = receive(r, &reply);

		if (got < 0)
			return lose(r);
		if (reply == NULL)
			break;
		if (r->phase == READY) {
			freeReplyObject(reply);
			snprintf(r->why, sizeof r->why, "unasked-for reply");
			return lose(r);
		}
		if (r->phase == CALLING)
			return replied(r, reply);
		greeted(r, reply);
		if (r->phase == WAITING || r->phase == FAULTY)
			break;
	}
	switch (r->phase) {
	case FAULTY: return REDIS_FAULT;
	case READY: return REDIS_IDLE;
	case CALLING:
	case RELOADING: return REDIS_CALLING;
	case WAITING:
	case CONNECTING:
	case GREETING: break;
	}
	return REDIS_DOWN;
}

/* Sends what goes.  0, or -1 with why. */
static int
send_some(struct redis *r)
{
	size_t first = r->out[0].iov_len, all = first + r->out[1].iov_len;

	while (r->out_done < all) {
		struct iovec iov[2] = {r->out[0], r->out[1]};
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
		size_t skip = r->out_done < first ? r->out_done : first;
		ssize_t n;

		iov[0].iov_base = (char *)iov[0].iov_base + skip;
		iov[0].iov_len -= skip;
		skip = r->out_done - skip;
		iov[1].iov_base = (char *)iov[1].iov_base + skip;
		iov[1].iov_len -= skip;
		n = sendmsg(r->context->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0) {
			snprintf(
			    r->why, sizeof r->why, "send: %s", strerror(errno));
			return -1;
		}
		r->out_done += (size_t)n;
		if (r->phase == CALLING)
			r->due_ms = tick_ms() + r->options.reply_ms;
	}
	r->sent |= r->phase == CALLING;
	return 0;
}

/* Reads until there is a reply or nothing more for now: *ret is then NULL.
 * 0, or -1 with why. */
static int
receive(struct redis *r, redisReply **ret)
{
	redisContext *c = r->context;
	void *reply = NULL;

	*ret = NULL;
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
		if (r->phase == CALLING)
			r->due_ms = tick_ms() + r->options.reply_ms;
	}
	snprintf(r->why, sizeof r->why, "receive: %s", c->errstr);
	return -1;
}

/* -- the greeting's replies ---------------------------------------------- */

static void
greeted(struct redis *r, redisReply *reply)
{
	enum verdict v = judge_hello(r, reply);

	freeReplyObject(reply);
	if (v == UNFIT_FOR_EVER) {
		fault(r);
		return;
	}
	if (v == UNFIT_NOW) {
		lose(r);
		return;
	}
	if (++r->n_greeted < r->n_hellos)
		return;
	if (r->phase == RELOADING) {
		r->phase = CALLING;
		r->due_ms = tick_ms() + r->options.reply_ms;
		start_sending(r, &r->call, r->more);
		if (send_some(r) < 0)
			r->due_ms = 0; /* said by the next step */
		return;
	}
	r->phase = READY;
	r->connection++;
	backoff_reset(&r->backoff);
}

static enum verdict
judge_hello(struct redis *r, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR) {
		snprintf(r->why, sizeof r->why, "%s", reply->str);
		return judge_error(reply->str);
	}
	switch (r->hellos[r->n_greeted]) {
	case HELLO_AUTH:
	case HELLO_SELECT: return FIT;
	case HELLO_INFO: return judge_info(r, reply);
	case HELLO_LOAD: break;
	}
	if (reply->type != REDIS_REPLY_STRING || reply->len != SHA_LEN) {
		snprintf(r->why, sizeof r->why, "SCRIPT LOAD: no digest");
		return UNFIT_NOW;
	}
	memcpy(r->shas[r->n_loaded++], reply->str, SHA_LEN + 1);
	return FIT;
}

static enum verdict
judge_info(struct redis *r, const redisReply *reply)
{
	const char *info = reply->str;
	char value[RUN_ID_MAX], policy[RUN_ID_MAX];
	enum verdict v = UNFIT_FOR_EVER;

	if (reply->type != REDIS_REPLY_STRING ||
	    field(info, "run_id", value, sizeof value) < 0) {
		snprintf(r->why, sizeof r->why, "INFO: no run_id");
		return UNFIT_NOW;
	}
	if (strcmp(value, r->run_id) != 0) {
		memcpy(r->run_id, value, sizeof value);
		r->run++;
	}
	if (field(info, "redis_mode", value, sizeof value) == 0 &&
	    strcmp(value, "cluster") == 0) {
		snprintf(r->why, sizeof r->why, "is in cluster mode");
	} else if (field(info, "redis_version", value, sizeof value) == 0 &&
		   strtol(value, NULL, 10) < 7) {
		snprintf(r->why, sizeof r->why, "is version %s, 7.0 is needed",
		    value);
	} else if (field(info, "maxmemory", value, sizeof value) == 0 &&
		   strcmp(value, "0") != 0 &&
		   field(info, "maxmemory_policy", policy, sizeof policy) ==
		       0 &&
		   strcmp(policy, "noeviction") != 0) {
		snprintf(r->why, sizeof r->why,
		    "maxmemory-policy is %s, noeviction is needed", policy);
	} else if (field(info, "loading", value, sizeof value) == 0 &&
		   strcmp(value, "0") != 0) {
		snprintf(r->why, sizeof r->why, "is loading its data");
		v = UNFIT_NOW;
	} else if (field(info, "role", value, sizeof value) == 0 &&
		   strcmp(value, "master") != 0) {
		snprintf(r->why, sizeof r->why, "is a replica");
		v = UNFIT_NOW;
	} else {
		v = FIT;
	}
	return v;
}

/* What an error tells of the server, in the greeting: all that is not known
 * to pass is a matter of configuration. */
static enum verdict
judge_error(const char *text)
{
	static const char *const passing[] = {"LOADING", "MASTERDOWN", "BUSY",
	    "READONLY", "TRYAGAIN", "CLUSTERDOWN", "MISCONF", "OOM",
	    "ERR max number of clients", NULL};

	return starts_with_any(text, passing) ? UNFIT_NOW : UNFIT_FOR_EVER;
}

/* -- the call's reply ---------------------------------------------------- */

static enum redis_state
replied(struct redis *r, redisReply *reply)
{
	static const char *const reconnect[] = {"LOADING", "MASTERDOWN",
	    "READONLY", "TRYAGAIN", "CLUSTERDOWN", "MOVED", NULL};
	static const char *const misconfigured[] = {
	    "NOPERM", "NOAUTH", "WRONGPASS", NULL};
	static const char *const forgotten[] = {"NOSCRIPT", NULL};

	if (reply->type != REDIS_REPLY_ERROR) {
		r->reply = reply;
		r->phase = READY;
		return REDIS_REPLIED;
	}
	snprintf(r->why, sizeof r->why, "%s", reply->str);
	freeReplyObject(reply);
	r->phase = READY;
	if (starts_with_any(r->why, forgotten)) {
		r->phase = RELOADING;
		r->due_ms = tick_ms() + r->options.reply_ms;
		return greet(r, true) < 0 ? lose(r) : REDIS_CALLING;
	}
	if (starts_with_any(r->why, reconnect))
		lose(r);
	else if (starts_with_any(r->why, misconfigured))
		fault(r);
	return REDIS_REFUSED;
}

/* -- ends ---------------------------------------------------------------- */

/* The connection is gone: what that makes of the call, if there is one. */
static enum redis_state
lose(struct redis *r)
{
	bool calling = r->phase == CALLING || r->phase == RELOADING;

	disconnect(r);
	r->phase = WAITING;
	r->due_ms = tick_ms() + backoff_next(&r->backoff);
	return calling ? REDIS_LOST : REDIS_DOWN;
}

static void
fault(struct redis *r)
{
	disconnect(r);
	r->phase = FAULTY;
}

static void
disconnect(struct redis *r)
{
	if (r->context != NULL)
		redisFree(r->context);
	r->context = NULL;
	start_sending(r, NULL, (struct iovec){0});
}

/* -- calls --------------------------------------------------------------- */

int
redis_eval(struct redis *r, size_t script, size_t n_keys,
    const struct resp_args *args, const struct buf *more, size_t n_more)
{
	struct resp_args head = {0};
	int failed;

	if (r->phase != READY || args->failed)
		return -1;
	resp_arg_text(&head, "EVALSHA");
	resp_arg_text(&head, r->shas[script]);
	resp_arg_u64(&head, n_keys);
	buf_clear(&r->call);
	failed = buf_addf(&r->call, "*%zu\r\n", head.n + args->n + n_more);
	failed |= buf_add(&r->call, buf_ptr(&head.resp), head.resp.len);
	failed |= buf_add(&r->call, buf_ptr(&args->resp), args->resp.len);
	failed |= head.failed ? -1 : 0;
	resp_args_free(&head);
	return failed != 0 ? -1 : begin(r, more);
}

int
redis_command(struct redis *r, const struct resp_args *args)
{
	if (r->phase != READY || args->failed)
		return -1;
	buf_clear(&r->call);
	if (buf_addf(&r->call, "*%zu\r\n", args->n) < 0 ||
	    buf_add(&r->call, buf_ptr(&args->resp), args->resp.len) < 0)
		return -1;
	return begin(r, NULL);
}

static int
begin(struct redis *r, const struct buf *more)
{
	freeReplyObject(r->reply);
	r->reply = NULL;
	r->more = (struct iovec){0};
	if (more != NULL)
		r->more = (struct iovec){buf_ptr(more), more->len};
	r->sent = false;
	r->phase = CALLING;
	r->due_ms = tick_ms() + r->options.reply_ms;
	start_sending(r, &r->call, r->more);
	/* A failure shows again in the next step, which can report it. */
	(void)send_some(r);
	return 0;
}

static void
start_sending(struct redis *r, const struct buf *b, struct iovec more)
{
	r->out[0] = (struct iovec){0};
	if (b != NULL)
		r->out[0] = (struct iovec){buf_ptr(b), b->len};
	r->out[1] = more;
	r->out_done = 0;
}

/* -- replies ------------------------------------------------------------- */

static const redisReply *
inside(const struct redis_reply *p)
{
	return (const redisReply *)(const void *)p;
}

static const struct redis_reply *
outside(const redisReply *p)
{
	return (const struct redis_reply *)(const void *)p;
}

const struct redis_reply *
redis_reply(const struct redis *r)
{
	return outside(r->reply);
}

size_t
redis_reply_count(const struct redis_reply *p)
{
	const redisReply *reply = inside(p);

	return reply != NULL && reply->type == REDIS_REPLY_ARRAY
		   ? reply->elements
		   : 0;
}

const struct redis_reply *
redis_reply_at(const struct redis_reply *p, size_t i)
{
	return i < redis_reply_count(p) ? outside(inside(p)->element[i]) : NULL;
}

const char *
redis_reply_text(const struct redis_reply *p, size_t *ret_len)
{
	const redisReply *reply = inside(p);

	if (reply == NULL || (reply->type != REDIS_REPLY_STRING &&
				 reply->type != REDIS_REPLY_STATUS))
		return NULL;
	*ret_len = reply->len;
	return reply->str;
}

int64_t
redis_reply_int(const struct redis_reply *p, int64_t fallback)
{
	const redisReply *reply = inside(p);
	size_t len;
	const char *text = redis_reply_text(p, &len);
	uint64_t n;

	if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
		return reply->integer;
	if (text == NULL || num_u64(text, 0, INT64_MAX, &n) < 0)
		return fallback;
	return (int64_t)n;
}

/* -- texts --------------------------------------------------------------- */

/* Finds "name:value\r\n".  0 or -1. */
static int
field(const char *info, const char *name, char *ret, size_t size)
{
	size_t len = strlen(name), n;

	for (const char *line = info; line != NULL && *line != '\0';) {
		const char *end = strchr(line, '\n');

		if (strncmp(line, name, len) == 0 && line[len] == ':') {
			n = strcspn(line + len + 1, "\r\n");
			if (n >= size)
				return -1;
			memcpy(ret, line + len + 1, n);
			ret[n] = '\0';
			return 0;
		}
		line = end == NULL ? NULL : end + 1;
	}
	return -1;
}

static bool
starts_with_any(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strncmp(text, *words, strlen(*words)) == 0)
			return true;
	return false;
}
