/*
 * Routes lines to the publishers of their shards, and puts the answers in the
 * order of the lines.
 *
 * Who owns an increment is a matter of its publisher alone.  Here are copies
 * of lines that were not added yet, and of answers that were given.
 */
#include "publish/router.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "queue/shards.h"

enum { ERRORS = UINT16_MAX /* in place of a shard */ };

static int open_shards(struct router *r, bool sharded, const char **ret_why);
static int open_shard(
    struct router *r, unsigned i, bool sharded, const char **ret_why);
static void close_shards(struct router_shard *shards, unsigned n);
static enum publisher_state spread(struct router *r);
static int add_again(void *ctx, const struct publish_batch_line *line);
static enum publish_batch_taken add(struct router *r,
    struct publish_batch_line *line, const struct publish_batch_judged *judged,
    struct control_error *ret_error);
static enum publisher_state note(
    struct router *r, unsigned i, enum publisher_state state);
static enum publisher_state step_number(struct router *r, int64_t now_ms);
static void hold(struct router *r);
static struct buf *source(void *ctx, uint16_t i);

int
router_open(struct router *r, const struct publisher_settings *settings,
    const char **ret_why)
{
	char name[QUEUE_NAME_MAX + 1];
	unsigned i;

	*r = (struct router){.set = *settings, .n = settings->shards};
	*ret_why = "name of a queue with shards: is one of a shard";
	if (r->n > 1 && shard_parse(settings->queue, name, &i))
		return -1;
	*ret_why = "name of a queue with shards: too long";
	if (r->n > 1 && shard_name(settings->queue, r->n - 1, r->n, name) < 0)
		return -1;
	return open_shards(r, r->n > 1, ret_why);
}

/* As r->n says. */
static int
open_shards(struct router *r, bool sharded, const char **ret_why)
{
	unsigned n = router_shards(r);

	*ret_why = LOG_NO_MEMORY;
	r->shards = calloc(n, sizeof *r->shards);
	r->fds = calloc(ROUTER_OWNER_FDS + n + 1, sizeof *r->fds);
	if (r->shards == NULL || r->fds == NULL)
		return -1;
	if (sharded && r->set.echo &&
	    answer_order_open(&r->order, ROUTER_LINES) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (open_shard(r, i, sharded, ret_why) < 0)
			return -1;
	return sharded ? shard_number_open(&r->number, &r->set, ret_why) : 0;
}

static int
open_shard(struct router *r, unsigned i, bool sharded, const char **ret_why)
{
	struct router_shard *s = &r->shards[i];
	struct publisher_settings set = r->set;

	if (shard_name(r->set.queue, i, sharded ? r->n : 1, s->name) < 0) {
		*ret_why = "name of a queue with shards: too long";
		return -1;
	}
	set.queue = s->name;
	set.decided = sharded ? &r->number.noted : NULL;
	set.gauges = queue_gauges_open(&s->gauges, s->name);
	return publisher_open(&s->publisher, &set, ret_why);
}

void
router_close(struct router *r)
{
	close_shards(r->shards, router_shards(r));
	shard_number_close(&r->number);
	answer_order_close(&r->order);
	buf_free(&r->errors);
	buf_free(&r->out);
	free(r->fds);
}

static void
close_shards(struct router_shard *shards, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		publisher_close(&shards[i].publisher);
		queue_gauges_close(&shards[i].gauges);
	}
	free(shards);
}

unsigned
router_shards(const struct router *r)
{
	return r->n > 1 ? r->n : 1;
}

/* -- lines ---------------------------------------------------------------- */

bool
router_has_room(const struct router *r)
{
	return r->n > 1 ? r->lines < ROUTER_LINES && r->bytes < ROUTER_BYTES
			: !publish_batch_full(
			      batch_list_last(&r->shards->publisher.waiting));
}

int64_t
router_arrival(const struct router *r, int64_t empty_ms, int64_t now_ms)
{
	return r->n > 1
		   ? now_ms
		   : publisher_arrival(&r->shards->publisher, empty_ms, now_ms);
}

enum publish_batch_taken
router_add(struct router *r, struct publish_batch_line *line, int64_t empty_ms,
    struct control_error *ret_error)
{
	struct publish_batch_judged *judged = &r->judged;

	publish_batch_judge(line, r->set.tagged, r->n > 1, judged);
	if (r->n <= 1)
		return publish_batch_add(
		    batch_list_last(&r->shards->publisher.waiting), line,
		    judged, ret_error);
	r->empty_ms = empty_ms;
	return add(r, line, judged, ret_error);
}

/* To its shard. */
static enum publish_batch_taken
add(struct router *r, struct publish_batch_line *line,
    const struct publish_batch_judged *judged, struct control_error *ret_error)
{
	struct publisher *p = &r->shards->publisher;
	uint16_t to = ERRORS;
	enum publish_batch_taken taken;

	if (judged->fault == FAULT_NONE) {
		to = (uint16_t)shard_of(judged->inc.key.bytes, r->n);
		p = &r->shards[to].publisher;
		line->arrived_ms = num_min(line->arrived_ms,
		    publisher_arrival(p, r->empty_ms, line->arrived_ms));
		taken = publisher_add(p, line, judged, ret_error);
	} else {
		taken = publish_batch_answer(batch_list_last(&p->waiting), line,
		    judged, &r->errors, ret_error);
	}
	if (r->set.echo && taken != PUBLISH_BATCH_NO_MEMORY)
		answer_order_add(&r->order, to);
	r->lines += r->set.echo || to != ERRORS;
	r->bytes += line->len;
	return taken;
}

/* The queue has more shards than one: what was kept for it alone goes to them.
 * Answers that were given come before all others. */
static enum publisher_state
spread(struct router *r)
{
	struct router_shard *alone = r->shards;
	struct publisher *p = &alone->publisher;
	enum publisher_state result = PUBLISHER_NO_MEMORY;
	const char *why;

	r->n = r->set.shards = publisher_shards(p);
	free(r->fds);
	r->past = p->counts;
	r->failed |= p->failed;
	if (buf_add(&r->out, buf_ptr(&p->out), p->out.len) == 0 &&
	    open_shards(r, true, &why) == 0 &&
	    publisher_each(p, add_again, r) == 0)
		result = PUBLISHER_WELL;
	close_shards(alone, 1);
	return result;
}

/* It was judged before, and is counted. */
static int
add_again(void *ctx, const struct publish_batch_line *line)
{
	struct publish_batch_line again = *line;
	struct control_error error;

	return router_add(ctx, &again, again.arrived_ms, &error) ==
		       PUBLISH_BATCH_NO_MEMORY
		   ? -1
		   : 0;
}

/* -- the loop ------------------------------------------------------------- */

/* The number of shards, if there are several, is the last one. */
static unsigned
connections(const struct router *r)
{
	return r->n > 1 ? r->n + 1 : 1;
}

size_t
router_fds(const struct router *r)
{
	return ROUTER_OWNER_FDS + connections(r);
}

int64_t
router_wait(struct router *r)
{
	struct pollfd *fds = r->fds + ROUTER_OWNER_FDS;
	int64_t due_ms = IO_FOREVER;

	for (unsigned i = 0; i < router_shards(r); i++)
		due_ms = num_min(
		    due_ms, publisher_wait(&r->shards[i].publisher, fds + i));
	if (r->n > 1)
		due_ms =
		    num_min(due_ms, shard_number_wait(&r->number, fds + r->n));
	return due_ms;
}

static short
revents(const struct router *r, unsigned i)
{
	const struct pollfd *fd = &r->fds[ROUTER_OWNER_FDS + i];

	return fd->fd < 0 ? 0 : fd->revents;
}

enum publisher_state
router_step(struct router *r, int64_t now_ms)
{
	unsigned n = router_shards(r);
	enum publisher_state result = step_number(r, now_ms);

	for (unsigned i = 0; i < n && result == PUBLISHER_WELL; i++)
		result = note(r, i,
		    publisher_step(
			&r->shards[i].publisher, revents(r, i), now_ms));
	if (result == PUBLISHER_SHARDED)
		result = spread(r);
	if (r->n > 1)
		hold(r);
	return result;
}

enum publisher_state
router_send(struct router *r, int64_t now_ms)
{
	unsigned n = router_shards(r);
	enum publisher_state result = PUBLISHER_WELL;

	for (unsigned i = 0; i < n && result == PUBLISHER_WELL; i++) {
		result = publisher_send(&r->shards[i].publisher, now_ms);
		r->faulty = i;
	}
	if (result == PUBLISHER_WELL && r->n > 1 &&
	    answer_order_move(&r->order, source, r, &r->out) < 0)
		result = PUBLISHER_NO_MEMORY;
	return result;
}

/* What a step of shard i says. */
static enum publisher_state
note(struct router *r, unsigned i, enum publisher_state state)
{
	r->shards[i].is_waiting = state == PUBLISHER_WAITING;
	r->faulty = i;
	r->failed |= r->shards[i].publisher.failed;
	return state == PUBLISHER_WAITING ? PUBLISHER_WELL : state;
}

static enum publisher_state
step_number(struct router *r, int64_t now_ms)
{
	enum publisher_state state;

	if (r->n <= 1)
		return PUBLISHER_WELL;
	state = shard_number_step(&r->number, revents(r, r->n), now_ms);
	r->number_waits = state == PUBLISHER_WAITING;
	r->faulty = r->n;
	return r->number_waits ? PUBLISHER_WELL : state;
}

/* Counts what is held. */
static void
hold(struct router *r)
{
	size_t in_doubt;

	r->bytes = r->errors.len;
	for (unsigned i = 0; i < r->n; i++)
		r->bytes += publisher_bytes(&r->shards[i].publisher);
	r->lines = r->set.echo ? r->order.n : router_count(r, &in_doubt);
}

static struct buf *
source(void *ctx, uint16_t i)
{
	struct router *r = ctx;

	return i == ERRORS ? &r->errors : &r->shards[i].publisher.out;
}

struct buf *
router_out(struct router *r)
{
	return r->n > 1 ? &r->out : &r->shards->publisher.out;
}

bool
router_empty(const struct router *r)
{
	for (unsigned i = 0; i < router_shards(r); i++)
		if (!publisher_empty(&r->shards[i].publisher))
			return false;
	return r->order.n == 0;
}

/* -- what is told of it --------------------------------------------------- */

size_t
router_count(const struct router *r, size_t *ret_in_doubt)
{
	size_t n = 0, in_doubt;

	*ret_in_doubt = 0;
	for (unsigned i = 0; i < router_shards(r); i++) {
		n += publisher_count(&r->shards[i].publisher, &in_doubt);
		*ret_in_doubt += in_doubt;
	}
	return n;
}

void
router_counts(const struct router *r, struct publisher_counts *ret)
{
	*ret = r->past;
	for (unsigned i = 0; i < router_shards(r); i++) {
		const struct publisher_counts *c =
		    &r->shards[i].publisher.counts;

		ret->published += c->published;
		ret->batches += c->batches;
		for (int f = 0; f < FAULT_COUNT; f++)
			ret->rejected[f] += c->rejected[f];
	}
}

/* Names the shard, unless the reason does. */
static const char *
why(const struct router *r, unsigned i, char ret[REASON_MAX])
{
	char reason[REASON_MAX];

	if (r->n > 1 && i == r->n)
		reason_set(ret, "%s", r->number.why);
	else if (r->n <= 1)
		publisher_why(&r->shards[i].publisher, ret);
	else if (strncmp(publisher_why(&r->shards[i].publisher, reason),
		     "queue ", strlen("queue ")) == 0)
		reason_set(ret, "%s", reason);
	else
		reason_set(ret, "queue %s: %s", r->shards[i].name, reason);
	return ret;
}

const char *
router_why(const struct router *r, char ret[REASON_MAX])
{
	return why(r, r->faulty, ret);
}

const char *
router_turn(
    struct router *r, unsigned *i, bool *ret_waits, char ret_why[REASON_MAX])
{
	for (; *i < connections(r); ++*i) {
		bool is_number = r->n > 1 && *i == r->n;
		bool now =
		    is_number ? r->number_waits : r->shards[*i].is_waiting;
		bool *told = is_number ? &r->number_told : &r->shards[*i].told;

		if (now == *told)
			continue;
		*told = *ret_waits = now;
		why(r, *i, ret_why);
		return is_number ? r->set.queue : r->shards[*i].name;
	}
	return NULL;
}
