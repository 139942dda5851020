/*
 * Makes a connection to the Redis of a URL, without waiting: looks names up,
 * connects to one host after the other, and asks sentinels for the primary.
 *
 * In a Redis Cluster the hosts are some of its nodes, to begin with: the caller
 * tells which node has said what of the others.
 *
 * The loop is that of session.h: dial_wait, poll, dial_step.
 */
#ifndef INCR_DIAL_H
#define INCR_DIAL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "base/url.h"
#include "redis/redis.h"

struct dial;

/* NULL, or why no connection can be made as long as the URL and the files that
 * it names are as they are; constant text. */
const char *dial_check(const struct url_redis *url);

/* url is borrowed.  NULL with *ret_why, constant text.  Caller closes. */
struct dial *dial_open(
    const struct url_redis *url, int64_t connect_ms, const char **ret_why);
void dial_close(struct dial *d); /* NULL is allowed */

/* Begins to connect.  Whatever was under way is given up. */
void dial_begin(struct dial *d);

/* Gives up. */
void dial_cancel(struct dial *d);

/* What to poll for (fd -1: nothing), and the clock_ms() at which dial_step is
 * due even if nothing is ready. */
int64_t dial_wait(const struct dial *d, struct pollfd *ret_pfd);

enum dial_state {
	DIAL_BUSY,   /* under way */
	DIAL_DONE,   /* dial_take; returned once */
	DIAL_FAILED, /* no host was of use; returned once */
	DIAL_REFUSED /* the same, and each one for a reason that will stay */
};

/* ret_why is the reason of the last failure. */
enum dial_state dial_step(
    struct dial *d, short revents, char ret_why[REASON_MAX]);

/* The connection, after DIAL_DONE.  Caller closes. */
struct redis *dial_take(struct dial *d);

/* When the server must have shown that it is fit. */
int64_t dial_due(const struct dial *d);

/*
 * Whether the server that was connected is fit.  If it was not, the next
 * dial_begin goes on with the next host, or asks the next sentinel; false if
 * a round of all has ended.
 */
bool dial_unfit(struct dial *d);
void dial_fit(struct dial *d);

/* The connection's node has answered CLUSTER SLOTS so: these nodes are hosts,
 * beside those of the URL.  0, or -1 with the reason. */
int dial_learn(
    struct dial *d, const struct redis_reply *reply, char ret_why[REASON_MAX]);

/* It says that `to` (cluster.h) is the node that is looked for: the next
 * dial_begin connects there, and so does each one after it, until that node is
 * of no use.  0, or -1 with the reason: there is no such host, or it has a name
 * and the URL has none. */
int dial_follow(
    struct dial *d, const struct url_host *to, char ret_why[REASON_MAX]);

#endif
