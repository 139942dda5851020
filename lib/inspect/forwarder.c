/* Publishes labelled dead letters, shard by shard. */
#include "inspect/forwarder.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "inspect/queue_sync.h"
#include "queue/shards.h"

#define LABEL_MS (UINT64_C(1000) * LABEL_S)
#define LABEL_DAY_MS (UINT64_C(1000) * LABEL_DAY_S)

static int send_shard(struct forwarder *f, unsigned shard, int64_t deadline_ms,
    char ret_why[REASON_MAX]);
static int open_shard(
    struct forwarder *f, unsigned shard, char ret_why[REASON_MAX]);
static int note_shards(
    struct forwarder *f, unsigned shard, char ret_why[REASON_MAX]);
static int introduce(struct forwarder *f, unsigned shard, struct id *publisher,
    char ret_why[REASON_MAX]);
static int collect(
    struct forwarder *f, unsigned shard, uint64_t *ret_not_after_ms);
static int publish(struct forwarder *f, unsigned shard,
    const struct id *publisher, uint64_t not_after_ms,
    char ret_why[REASON_MAX]);
static int settle(struct forwarder *f, unsigned shard, int64_t deadline_ms,
    char ret_why[REASON_MAX]);
static void settle_letters(struct forwarder *f, unsigned shard);
static int failed(const struct forwarder *f, unsigned shard,
    enum queue_state state, char ret_why[REASON_MAX]);
static int fail(const struct forwarder *f, unsigned shard, int status,
    const char *why, char ret_why[REASON_MAX]);

void
forwarder_add(struct forwarder *f, size_t index, const struct label *label,
    const struct increment *inc)
{
	f->list[f->n++] =
	    (struct forwarded){.index = index, .label = *label, .inc = *inc};
}

int
forwarder_send(struct forwarder *f, char ret_why[REASON_MAX])
{
	int status = 0;

	for (size_t i = 0; i < f->n && status == 0; i++) {
		int64_t deadline_ms = clock_ms() + f->wait_ms;

		while (f->list[i].state == FORWARD_WAITS && status == 0)
			status = send_shard(
			    f, f->list[i].label.shard, deadline_ms, ret_why);
	}
	return status;
}

/* Settles one letter at least, or the shard lacks the publisher that it was
 * told of, until the deadline: those that come too late are known by the
 * shard's clock then, and the others are sent again. */
static int
send_shard(struct forwarder *f, unsigned shard, int64_t deadline_ms,
    char ret_why[REASON_MAX])
{
	struct id publisher;
	uint64_t not_after_ms;
	int status = open_shard(f, shard, ret_why);

	if (status == 0)
		status = introduce(f, shard, &publisher, ret_why);
	if (status == 0 && collect(f, shard, &not_after_ms) < 0)
		status = fail(f, shard, EXIT_TEMPFAIL, LOG_NO_MEMORY, ret_why);
	if (status != 0 || f->lines.n == 0)
		return status;
	status = publish(f, shard, &publisher, not_after_ms, ret_why);
	return status == 0 ? settle(f, shard, deadline_ms, ret_why) : status;
}

static int
open_shard(struct forwarder *f, unsigned shard, char ret_why[REASON_MAX])
{
	const char *why = "name of a queue with shards: too long";
	char name[QUEUE_NAME_MAX + 1];

	if (f->to == NULL)
		f->to = calloc(f->shards, sizeof *f->to);
	if (f->to == NULL)
		return fail(f, shard, EXIT_TEMPFAIL, LOG_NO_MEMORY, ret_why);
	if (f->to[shard] != NULL)
		return 0;
	if (shard_name(f->queue, shard, f->shards, name) == 0)
		f->to[shard] = queue_open(f->url, name, &why);
	if (f->to[shard] == NULL)
		return fail(f, shard, log_status(why), why, ret_why);
	queue_replicate(f->to[shard], NULL);
	return note_shards(f, shard, ret_why);
}

/* The shard notes the number, as publishers have it noted, or refuses it. */
static int
note_shards(struct forwarder *f, unsigned shard, char ret_why[REASON_MAX])
{
	struct queue *q = f->to[shard];
	enum queue_state state = queue_sync_idle(q, f->wait_ms);

	if (state == QUEUE_IDLE)
		state = queue_shards(q, f->shards) < 0
			    ? QUEUE_DOWN
			    : queue_sync_done(q, f->wait_ms);
	if (state != QUEUE_DONE)
		return failed(f, shard, state, ret_why);
	if (queue_sharded(q) == f->shards)
		return 0;
	reason_set(ret_why, "queue %s.%u: has %u shards, not %u", f->queue,
	    shard, queue_sharded(q), f->shards);
	return EXIT_CONFIG;
}

static int
introduce(struct forwarder *f, unsigned shard, struct id *publisher,
    char ret_why[REASON_MAX])
{
	struct queue *q = f->to[shard];
	struct queue_before before = {0};
	enum queue_state state = queue_sync_idle(q, f->wait_ms);

	id_make(publisher);
	if (state == QUEUE_IDLE)
		state = queue_introduce(q, publisher, &before) < 0
			    ? QUEUE_DOWN
			    : queue_sync_done(q, f->wait_ms);
	return state == QUEUE_DONE ? 0 : failed(f, shard, state, ret_why);
}

/* The letters of a shard that wait, and when the first of them is too old.  One
 * that was labelled more than a day ahead of the shard's clock would outlive
 * its mark. */
static int
collect(struct forwarder *f, unsigned shard, uint64_t *ret_not_after_ms)
{
	uint64_t newest_ms = LABEL_DAY_MS +
			     (uint64_t)queue_introduced(f->to[shard])->at_ms,
		 oldest_ms = UINT64_MAX - LABEL_MS;
	char line[INCREMENT_TEXT];

	queue_lines_clear(&f->lines);
	for (size_t i = 0; i < f->n; i++) {
		struct forwarded *l = &f->list[i];

		if (l->label.shard != shard || l->state != FORWARD_WAITS)
			continue;
		if (l->label.ms > newest_ms) {
			l->state = FORWARD_UNKNOWN;
			continue;
		}
		if (queue_lines_add(&f->lines, l->label.tag,
			strlen(l->label.tag), line,
			increment_format(&l->inc, line), &l->inc) < 0)
			return -1;
		if (l->label.ms < oldest_ms)
			oldest_ms = l->label.ms;
	}
	*ret_not_after_ms = oldest_ms + LABEL_MS;
	return 0;
}

/* As the first batch of a publisher that nobody knows. */
static int
publish(struct forwarder *f, unsigned shard, const struct id *publisher,
    uint64_t not_after_ms, char ret_why[REASON_MAX])
{
	struct queue *q = f->to[shard];
	struct queue_terms terms = {
	    .window_s = LABEL_MARK_S, .not_after_ms = not_after_ms};
	enum queue_state state;

	arc4random_buf(&terms.name, sizeof terms.name);
	if (queue_publish(q, publisher, 1, &f->lines, &terms) < 0)
		return failed(f, shard, QUEUE_DOWN, ret_why);
	FAILPOINT("rejected-forward-sent");
	state = queue_sync_done(q, f->wait_ms);
	return state == QUEUE_DONE ? 0 : failed(f, shard, state, ret_why);
}

/* Whatever has become of a batch, its lines may be sent again as another one,
 * since they have tags. */
static int
settle(struct forwarder *f, unsigned shard, int64_t deadline_ms,
    char ret_why[REASON_MAX])
{
	switch (queue_published(f->to[shard])->outcome) {
	case QUEUE_PUSHED:
	case QUEUE_BEFORE:
	case QUEUE_LATE: settle_letters(f, shard); return 0;
	case QUEUE_HIGH:
	case QUEUE_OOM:
		return fail(f, shard, EXIT_TEMPFAIL,
		    "Redis is at its maxmemory", ret_why);
	case QUEUE_GAP:
	case QUEUE_OTHER: break;
	}
	return clock_ms() < deadline_ms
		   ? 0
		   : fail(f, shard, EXIT_TEMPFAIL, "publisher's key is missing",
			 ret_why);
}

/* What came too late may have been published before: its mark has expired, or
 * will at any time. */
static void
settle_letters(struct forwarder *f, unsigned shard)
{
	const struct queue_published *p = queue_published(f->to[shard]);
	size_t line = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct forwarded *l = &f->list[i];

		if (l->label.shard != shard || l->state != FORWARD_WAITS)
			continue;
		if (p->outcome != QUEUE_LATE)
			l->state = queue_published_reused(p, line++)
				       ? FORWARD_UNKNOWN
				       : FORWARD_DONE;
		else if (l->label.ms + LABEL_MS < (uint64_t)p->at_ms)
			l->state = FORWARD_UNKNOWN;
	}
}

static int
failed(const struct forwarder *f, unsigned shard, enum queue_state state,
    char ret_why[REASON_MAX])
{
	return fail(f, shard,
	    state == QUEUE_FAULT ? EXIT_CONFIG : EXIT_TEMPFAIL,
	    queue_status(f->to[shard])->why, ret_why);
}

static int
fail(const struct forwarder *f, unsigned shard, int status, const char *why,
    char ret_why[REASON_MAX])
{
	reason_set(ret_why, "redis: queue %s.%u: %s", f->queue, shard, why);
	return status;
}

void
forwarder_close(struct forwarder *f)
{
	for (unsigned i = 0; f->to != NULL && i < f->shards; i++)
		queue_close(f->to[i]);
	free(f->to);
	queue_lines_free(&f->lines);
}
