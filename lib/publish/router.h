/*
 * A router sends each line to the publisher of its shard (queue/shards.h), and
 * puts the answers in the order of the input again.
 *
 *	lines ──▶ by key ──▶ publisher of Q.0 ──▶ answers ──▶ in order ──▶ out
 *	              ├────▶ publisher of Q.1 ──▶ answers ──────┤
 *	              └─ no increments ──────────▶ error lines ─┘
 *
 * Each publisher has a connection, an id and a batch in flight of its own.  The
 * lines of a shard that is down, slow or full wait in their publisher, and are
 * given up there, no later than --wait; those of others are published
 * meanwhile, and their answers wait for those before them.  ROUTER_LINES and
 * ROUTER_BYTES bound what is held in all.
 *
 * A queue of one shard has one publisher and nothing to put in order.  So has
 * one whose number of shards is not known yet, until the queue tells it: then
 * its lines, of which none was sent, go to their shards.
 *
 * Prints nothing.  Times are clock_ms() values.
 */
#ifndef INCR_ROUTER_H
#define INCR_ROUTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "publish/answer_order.h"
#include "publish/publisher.h"
#include "publish/shard_number.h"

enum {
	ROUTER_LINES = 1 << 17,  /* without an answer, of several shards */
	ROUTER_BYTES = 64 << 20, /* of these, and a batch of each shard more */
	ROUTER_OWNER_FDS = 3 /* the first ones of fds, which the owner fills */
};

struct router_shard {
	struct publisher publisher;
	char name[QUEUE_NAME_MAX + 1];
	struct queue_gauges gauges;
	bool is_waiting, told; /* for Redis, and so router_turn has told */
	uint64_t waits;        /* for replicas, of its metrics */
};

struct router {
	struct publisher_settings set;
	unsigned n; /* shards; 0: as the queue says, and one so far */
	struct router_shard *shards; /* n, or one */
	struct shard_number number;  /* if n > 1 */
	struct answer_order order;   /* the same, with echo */
	struct buf errors;           /* answers to lines that are in no shard */
	struct buf out;              /* with echo: answers in order, dropped by
				      * the owner */
	struct pollfd *fds;          /* router_fds of them */
	size_t lines, bytes;         /* held, by the last step; lines added
				      * since then count */
	bool failed;                 /* as in struct publisher */
	unsigned faulty;             /* the last publisher that was looked at;
				      * n: the number */
	bool number_waits, number_told;     /* as is_waiting */
	struct publish_batch_judged judged; /* the line that is added */
	int64_t empty_ms;                   /* as router_add was told */
	struct publisher_counts past;       /* before there were shards */
};

/* Borrows what settings, which have no gauges, point to for ever, once
 * metrics_open() was called.  0, or -1 with *ret_why. */
int router_open(struct router *r, const struct publisher_settings *settings,
    const char **ret_why);
void router_close(struct router *r);

/* How many publishers there are. */
unsigned router_shards(const struct router *r);

/* Is there room for a line? */
bool router_has_room(const struct router *r);

/* When lines that are read now arrived, as publisher_arrival; with shards that
 * is known when they are added. */
int64_t router_arrival(
    const struct router *r, int64_t empty_ms, int64_t now_ms);

/* Adds a line; empty_ms as above. */
enum publish_batch_taken router_add(struct router *r,
    struct publish_batch_line *line, int64_t empty_ms,
    struct control_error *ret_error);

/* What to poll for, r->fds: so many.  router_wait fills all but the owner's,
 * and tells when router_step is due. */
size_t router_fds(const struct router *r);
int64_t router_wait(struct router *r);

/*
 * publisher_step and publisher_send of all; revents stand in r->fds.  The state
 * is that of the first one that is of no more use; else PUBLISHER_WELL:
 * router_turn tells of those that wait.
 */
enum publisher_state router_step(struct router *r, int64_t now_ms);
enum publisher_state router_send(struct router *r, int64_t now_ms);

/* The next shard, from *i on, that has begun or ceased to wait since the last
 * call about it; NULL: no more.  The queue itself, whose number of shards can't
 * be noted, is one.  *ret_waits: it has begun, and why says why. */
const char *router_turn(
    struct router *r, unsigned *i, bool *ret_waits, char ret_why[REASON_MAX]);

/* As those of a publisher, of all. */
bool router_empty(const struct router *r);
void router_counts(const struct router *r, struct publisher_counts *ret);
size_t router_count(const struct router *r, size_t *ret_in_doubt);

/* The answers to be written. */
struct buf *router_out(struct router *r);

/* Why it is faulty or gave up. */
const char *router_why(const struct router *r, char ret[REASON_MAX]);

#endif
