/*
 * Connects to one of the hosts of a URL, or to the primary that a sentinel
 * names, with TLS if the URL says so.
 *
 * A sentinel is asked at every connection, since only it knows of a failover.
 * One that names a primary which can't be reached, or is none, may be cut off
 * from the others: so the next one is asked.
 */
#include "redis/dial.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "redis/cluster.h"
#include "redis/endpoints.h"
#include "redis/sentinel.h"
#include "redis/tls.h"

enum { SENTINEL_MS = 1000 }; /* to connect to one and to have its answer */

enum phase {
	IDLE,
	RESOLVING,  /* the name is looked up */
	CONNECTING, /* connect(2) is under way */
	SECURING,   /* the handshake of TLS */
	ASKING      /* a sentinel was asked */
};

struct dial {
	const struct url_redis *url;
	int64_t connect_ms;
	enum phase phase;
	int64_t due_ms;           /* of the host that is being tried */
	struct endpoints hosts;   /* of the URL */
	struct endpoints primary; /* which a sentinel named */
	struct url_host primary_host;
	bool to_primary; /* it is the primary that is being tried */
	bool follows;    /* the primary is a node that another one named */
	char here[URL_PART_MAX]; /* the last host that was connected; empty:
				  * none, or a socket */
	struct url_host *nodes; /* with hosts of the URL, once some are known */
	bool may_pass;          /* of this round, a failure that may pass */
	struct redis *redis;
	struct buf question;
	size_t question_done, question_handed;
	int unanswered; /* replies that the sentinel still owes */
};

static void try_host(struct dial *d, bool primary);
static enum dial_state connect_now(struct dial *d, char ret_why[REASON_MAX]);
static struct redis *connect_address(struct dial *d, char ret_why[REASON_MAX]);
static enum dial_state connected(struct dial *d, char ret_why[REASON_MAX]);
static enum dial_state secure(struct dial *d, char ret_why[REASON_MAX]);
static struct endpoints *trying(struct dial *d);
static enum dial_state ready(struct dial *d, char ret_why[REASON_MAX]);
static void note_here(struct dial *d);
static enum dial_state ask(struct dial *d, char ret_why[REASON_MAX]);
static int send_question(struct dial *d, char ret_why[REASON_MAX]);
static enum dial_state receive_answer(struct dial *d, char ret_why[REASON_MAX]);
static enum dial_state fail(
    struct dial *d, bool may_pass, char ret_why[REASON_MAX]);
static bool advance(struct dial *d);

const char *
dial_check(const struct url_redis *url)
{
	const struct tls_files files = {url->cacert, url->cert, url->key};

	/* It would be cut off, and lead to something else. */
	if (strlen(url->path) > redis_path_max())
		return "the path of the socket is too long";
	return url->tls ? tls_check_files(&files) : NULL;
}

struct dial *
dial_open(const struct url_redis *url, int64_t connect_ms, const char **ret_why)
{
	struct dial *d;

	*ret_why = dial_check(url);
	if (*ret_why != NULL)
		return NULL;
	d = calloc(1, sizeof *d);
	if (d == NULL) {
		*ret_why = LOG_NO_MEMORY;
		return NULL;
	}
	d->url = url;
	d->connect_ms = connect_ms;
	endpoints_set(&d->hosts, url->hosts, url->n_hosts);
	return d;
}

void
dial_close(struct dial *d)
{
	if (d == NULL)
		return;
	dial_cancel(d);
	endpoints_clear(&d->hosts);
	endpoints_clear(&d->primary);
	buf_free(&d->question);
	free(d->nodes);
	free(d);
}

void
dial_begin(struct dial *d)
{
	dial_cancel(d);
	try_host(d, d->follows);
}

void
dial_cancel(struct dial *d)
{
	redis_close(d->redis);
	d->redis = NULL;
	d->phase = IDLE;
}

static void
try_host(struct dial *d, bool primary)
{
	d->to_primary = primary;
	d->phase = RESOLVING;
	d->due_ms = clock_ms() + (d->url->sentinel && !primary ? SENTINEL_MS
							       : d->connect_ms);
}

int64_t
dial_wait(const struct dial *d, struct pollfd *ret_pfd)
{
	*ret_pfd = (struct pollfd){.fd = -1};
	if (d->phase == RESOLVING)
		return clock_ms() + RESOLVE_LOOK_MS;
	if (d->redis != NULL) {
		ret_pfd->fd = redis_fd(d->redis);
		ret_pfd->events = redis_events(d->redis);
		if (d->phase == CONNECTING ||
		    d->question_done < d->question.len)
			ret_pfd->events |= POLLOUT;
	}
	return d->due_ms;
}

/* What has come is looked at before the clock. */
enum dial_state
dial_step(struct dial *d, short revents, char ret_why[REASON_MAX])
{
	enum dial_state state = DIAL_BUSY;

	switch (d->phase) {
	case IDLE: return DIAL_BUSY;
	case RESOLVING: state = connect_now(d, ret_why); break;
	case CONNECTING:
		if (revents != 0)
			state = connected(d, ret_why);
		break;
	case SECURING:
		if (revents != 0)
			state = secure(d, ret_why);
		break;
	case ASKING:
		if (revents != 0)
			state = ask(d, ret_why);
		break;
	}
	if (state != DIAL_BUSY || clock_ms() < d->due_ms)
		return state;
	reason_set(ret_why, "no answer in time");
	return fail(d, true, ret_why);
}

static enum dial_state
connect_now(struct dial *d, char ret_why[REASON_MAX])
{
	char why[REASON_MAX] = ""; /* *ret_why stays until there is another */

	if (!d->to_primary && d->url->n_hosts == 0)
		d->redis = redis_connect_unix(d->url->path, why);
	else
		d->redis = connect_address(d, why);
	if (d->redis == NULL && why[0] != '\0') {
		reason_set(ret_why, "%s", why);
		return fail(d, true, ret_why);
	}
	if (d->redis != NULL)
		d->phase = CONNECTING;
	return DIAL_BUSY;
}

/* NULL with an empty reason: the address is not known yet. */
static struct redis *
connect_address(struct dial *d, char ret_why[REASON_MAX])
{
	struct endpoints *e = trying(d);
	char address[RESOLVE_TEXT];
	const char *why;
	int known = endpoints_next(e, address, &why);

	if (known < 0)
		reason_set(ret_why, "look-up: %s", why);
	if (known <= 0)
		return NULL;
	return redis_connect_tcp(address, endpoints_host(e)->port, ret_why);
}

static enum dial_state
connected(struct dial *d, char ret_why[REASON_MAX])
{
	const struct tls_files files = {
	    d->url->cacert, d->url->cert, d->url->key};

	if (redis_connected(d->redis, ret_why) < 0)
		return fail(d, true, ret_why);
	if (!d->url->tls)
		return ready(d, ret_why);
	if (redis_secure(
		d->redis, &files, endpoints_host(trying(d))->name, ret_why) < 0)
		return fail(d, true, ret_why);
	d->phase = SECURING;
	return secure(d, ret_why);
}

static enum dial_state
secure(struct dial *d, char ret_why[REASON_MAX])
{
	int done = redis_secured(d->redis, ret_why);

	if (done < 0)
		return fail(d, !redis_refused(d->redis), ret_why);
	return done == 0 ? DIAL_BUSY : ready(d, ret_why);
}

/* Of the URL or of the primary: the one whose turn it is. */
static struct endpoints *
trying(struct dial *d)
{
	return d->to_primary ? &d->primary : &d->hosts;
}

/* A connection that can carry requests. */
static enum dial_state
ready(struct dial *d, char ret_why[REASON_MAX])
{
	if (!d->url->sentinel || d->to_primary) {
		note_here(d);
		d->phase = IDLE;
		return DIAL_DONE;
	}
	d->unanswered = sentinel_write(d->url, &d->question);
	if (d->unanswered < 0) {
		reason_set(ret_why, LOG_NO_MEMORY);
		return fail(d, true, ret_why);
	}
	d->question_done = d->question_handed = 0;
	d->phase = ASKING;
	return ask(d, ret_why);
}

static void
note_here(struct dial *d)
{
	const struct endpoints *e = trying(d);

	d->here[0] = '\0';
	if (e->n_hosts > 0)
		memcpy(d->here, endpoints_host(e)->name, sizeof d->here);
}

static enum dial_state
ask(struct dial *d, char ret_why[REASON_MAX])
{
	if (send_question(d, ret_why) < 0)
		return fail(d, true, ret_why);
	return receive_answer(d, ret_why);
}

static int
send_question(struct dial *d, char ret_why[REASON_MAX])
{
	const struct iovec out[REDIS_PARTS] = {
	    {buf_ptr(&d->question), d->question.len}};

	return redis_send(
	    d->redis, out, &d->question_done, &d->question_handed, ret_why);
}

static enum dial_state
receive_answer(struct dial *d, char ret_why[REASON_MAX])
{
	enum sentinel_answer answer = SENTINEL_MORE;
	struct redis_reply *reply;
	bool moved;

	while (answer == SENTINEL_MORE) {
		if (redis_receive(d->redis, &reply, &moved, ret_why) < 0)
			return fail(d, true, ret_why);
		if (reply == NULL)
			return DIAL_BUSY;
		answer = sentinel_check(reply, &d->primary_host, ret_why);
		redis_reply_free(reply);
		if (--d->unanswered == 0 && answer == SENTINEL_MORE) {
			reason_set(ret_why, "gave no address of the primary");
			answer = SENTINEL_UNFIT_NOW;
		}
	}
	if (answer != SENTINEL_FOUND)
		return fail(d, answer == SENTINEL_UNFIT_NOW, ret_why);
	dial_cancel(d);
	endpoints_set(&d->primary, &d->primary_host, 1);
	try_host(d, true);
	return DIAL_BUSY;
}

/* The host is of no use: the next one at once, until a round of all has
 * ended. */
static enum dial_state
fail(struct dial *d, bool may_pass, char ret_why[REASON_MAX])
{
	char why[REASON_MAX];
	bool may;

	if (d->url->sentinel && !d->to_primary) {
		memcpy(why, ret_why, sizeof why);
		reason_set(ret_why, "sentinel: %s", why);
	}
	d->may_pass |= may_pass;
	may = d->may_pass;
	dial_cancel(d);
	/* A name may have several addresses. */
	if (d->to_primary && endpoints_advance(&d->primary)) {
		try_host(d, true);
		return DIAL_BUSY;
	}
	d->follows = false;
	if (advance(d))
		try_host(d, false);
	else
		return may ? DIAL_FAILED : DIAL_REFUSED;
	return DIAL_BUSY;
}

/* The next host.  False if a round of all has ended. */
static bool
advance(struct dial *d)
{
	if (d->hosts.n_hosts > 0 && endpoints_advance(&d->hosts))
		return true;
	d->may_pass = false;
	return false;
}

struct redis *
dial_take(struct dial *d)
{
	struct redis *r = d->redis;

	d->redis = NULL;
	return r;
}

int64_t
dial_due(const struct dial *d)
{
	return d->due_ms;
}

bool
dial_unfit(struct dial *d)
{
	bool followed = d->follows && d->to_primary;

	d->may_pass = true;
	d->follows = false;
	/* Who named it would name it again. */
	return advance(d) && !followed;
}

void
dial_fit(struct dial *d)
{
	endpoints_restart(&d->hosts);
	d->may_pass = false;
}

int
dial_learn(
    struct dial *d, const struct redis_reply *reply, char ret_why[REASON_MAX])
{
	size_t n = d->url->n_hosts;
	struct cluster_nodes nodes = {.here = d->here,
	    .names = url_has_names(d->url),
	    .n = n,
	    .max = n + CLUSTER_NODES_MAX};

	if (n == 0)
		return 0; /* a socket: the one host that there is */
	nodes.hosts = calloc(nodes.max, sizeof *nodes.hosts);
	if (nodes.hosts == NULL)
		return reason_set(ret_why, LOG_NO_MEMORY);
	memcpy(nodes.hosts, d->url->hosts, n * sizeof *nodes.hosts);
	if (cluster_add_nodes(reply, &nodes, ret_why) < 0) {
		free(nodes.hosts);
		return -1;
	}
	endpoints_replace(&d->hosts, nodes.hosts, nodes.n);
	free(d->nodes);
	d->nodes = nodes.hosts;
	return 0;
}

/* Names can't be looked up by who was told of none: sandbox_redis(). */
int
dial_follow(struct dial *d, const struct url_host *to, char ret_why[REASON_MAX])
{
	struct url_host host = *to;

	if (host.name[0] == '\0')
		memcpy(host.name, d->here, sizeof host.name);
	if (host.name[0] == '\0')
		return reason_set(
		    ret_why, "MOVED without a host, over a socket");
	if (!url_has_names(d->url) && !url_is_address(host.name))
		return reason_set(ret_why,
		    "MOVED to the name %.300s; the URL must have a name, too",
		    host.name);
	d->primary_host = host;
	endpoints_set(&d->primary, &d->primary_host, 1);
	d->follows = true;
	return 0;
}
