/* Finds and opens the shards of a queue. */
#include "inspect/shard_queues.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "inspect/queue_sync.h"

static int open_all(struct shard_queues *s, const char *url, const char *name,
    char ret_why[REASON_MAX]);
static int ask_by_name(const char *url, const char *name, int64_t wait_ms,
    unsigned *ret_noted, char ret_why[REASON_MAX]);
static int ask(struct queue *q, unsigned told, int64_t wait_ms,
    unsigned *ret_noted, char ret_why[REASON_MAX]);
static int refuse(
    const char *name, unsigned noted, uint64_t told, char ret_why[REASON_MAX]);
static int fail(char ret_why[REASON_MAX], const char *why);

int
shard_queues_name(
    const char *queue, unsigned shards, size_t i, char ret[QUEUE_NAME_MAX + 1])
{
	return i == 0 ? shard_name(queue, 0, 1, ret)
		      : shard_name(queue, (unsigned)i - 1, shards, ret);
}

size_t
shard_queues_count(const char *queue, unsigned shards)
{
	char plain[QUEUE_NAME_MAX + 1];
	unsigned i;

	return shards == 1 || shard_parse(queue, plain, &i)
		   ? 1
		   : 1 + (size_t)shards;
}

int
shard_queues_open(struct shard_queues *s, const char *url, const char *name,
    uint64_t told, int64_t wait_ms, char ret_why[REASON_MAX])
{
	char plain[QUEUE_NAME_MAX + 1];
	const char *by = name;
	unsigned noted, shard;
	int status = ask_by_name(url, name, wait_ms, &noted, ret_why);

	*s = (struct shard_queues){0};
	/* A shard notes it when somebody publishes there. */
	if (status == 0 && noted == 0 && shard_parse(name, plain, &shard)) {
		by = plain;
		status = ask_by_name(url, plain, wait_ms, &noted, ret_why);
		if (status == 0 && noted <= shard)
			noted = 0;
	}
	if (status == 0 && told > 0 && noted > 0 && told != noted)
		status = refuse(by, noted, told, ret_why);
	if (status != 0)
		return status;
	s->noted = noted > 0;
	s->shards = noted > 0 ? noted : told > 0 ? (unsigned)told : 1;
	status = open_all(s, url, name, ret_why);
	if (status != 0)
		shard_queues_close(s);
	return status;
}

static int
open_all(struct shard_queues *s, const char *url, const char *name,
    char ret_why[REASON_MAX])
{
	size_t n = shard_queues_count(name, s->shards);
	const char *why = LOG_NO_MEMORY;

	s->list = calloc(n, sizeof *s->list);
	if (s->list == NULL)
		return fail(ret_why, why);
	for (; s->n < n; s->n++) {
		struct shard_queue *one = &s->list[s->n];

		if (shard_queues_name(name, s->shards, s->n, one->name) < 0) {
			reason_set(ret_why,
			    "queue %s: too long a name for a queue of %u "
			    "shards",
			    name, s->shards);
			return EXIT_CONFIG;
		}
		one->q = queue_open(url, one->name, &why);
		if (one->q == NULL)
			return fail(ret_why, why);
	}
	return 0;
}

static int
ask_by_name(const char *url, const char *name, int64_t wait_ms,
    unsigned *ret_noted, char ret_why[REASON_MAX])
{
	const char *why;
	struct queue *q = queue_open(url, name, &why);
	int status;

	if (q == NULL)
		return fail(ret_why, why);
	status = ask(q, 0, wait_ms, ret_noted, ret_why);
	queue_close(q);
	return status;
}

/* told: as queue_shards() has it. */
static int
ask(struct queue *q, unsigned told, int64_t wait_ms, unsigned *ret_noted,
    char ret_why[REASON_MAX])
{
	enum queue_state state = queue_sync_idle(q, wait_ms);

	if (state == QUEUE_IDLE) {
		if (queue_shards(q, told) < 0)
			return fail(ret_why, LOG_NO_MEMORY);
		state = queue_sync_done(q, wait_ms);
	}
	if (state != QUEUE_DONE) {
		reason_set(ret_why, "redis: %s", queue_status(q)->why);
		return state == QUEUE_FAULT ? EXIT_CONFIG : EXIT_TEMPFAIL;
	}
	*ret_noted = queue_sharded(q);
	return 0;
}

static int
refuse(
    const char *name, unsigned noted, uint64_t told, char ret_why[REASON_MAX])
{
	reason_set(ret_why, "queue %s: has %u shard%s, not %ju (--shards)",
	    name, noted, noted == 1 ? "" : "s", (uintmax_t)told);
	return EXIT_CONFIG;
}

int
shard_queues_note(const struct shard_queues *s, const char *url,
    const char *queue, int64_t wait_ms, char ret_why[REASON_MAX])
{
	const char *why;
	struct queue *q = queue_open(url, queue, &why);
	unsigned noted;
	int status;

	if (q == NULL)
		return fail(ret_why, why);
	queue_replicate(q, NULL);
	status = ask(q, s->shards, wait_ms, &noted, ret_why);
	queue_close(q);
	if (status == 0 && noted != s->shards)
		status = refuse(queue, noted, s->shards, ret_why);
	return status;
}

static int
fail(char ret_why[REASON_MAX], const char *why)
{
	reason_set(ret_why, "redis: %s", why);
	return log_status(why);
}

void
shard_queues_close(struct shard_queues *s)
{
	for (size_t i = 0; i < s->n; i++)
		queue_close(s->list[i].q);
	free(s->list);
	*s = (struct shard_queues){0};
}
