/* Asks a Redis what --check tells of it. */
#include "inspect/dryrun_redis.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "inspect/queue_sync.h"
#include "inspect/redis_findings.h"
#include "inspect/shard_queues.h"
#include "queue/queue.h"

enum { SETTING_MAX = 256 };

struct run {
	const struct dryrun_redis *d;
	struct findings *f;
	struct queue *q;
	int64_t deadline_ms;
	struct buf info; /* a text */
	char appendfsync[SETTING_MAX], save[SETTING_MAX];
	bool settings; /* are known */
	char refused[REASON_MAX];
};

static bool
connects(struct run *r)
{
	enum queue_state state =
	    queue_sync_idle(r->q, r->deadline_ms - clock_ms());
	const char *why = queue_status(r->q)->why;

	if (state == QUEUE_IDLE)
		return true;
	findings_add(r->f, state == QUEUE_FAULT ? FINDING_ERROR : FINDING_DOWN,
	    "redis: %s", why);
	return false;
}

/* Waits for a call that was begun, and does not repeat it. */
static bool
answers(struct run *r, int begun)
{
	struct pollfd pfd;
	enum queue_state state = begun < 0 ? QUEUE_LOST : QUEUE_CALLING;

	while (state == QUEUE_CALLING && clock_ms() < r->deadline_ms) {
		int64_t due_ms = queue_wait(r->q, &pfd);

		if (io_poll(&pfd, 1, num_min(r->deadline_ms, due_ms)) < 0)
			return false;
		state = queue_step(r->q, pfd.revents);
	}
	return state == QUEUE_DONE;
}

/* A call that any user of the queue may make. */
static bool
tells(struct run *r, int begun)
{
	const char *why;

	if (answers(r, begun))
		return true;
	why = queue_status(r->q)->why;
	findings_add(r->f,
	    strncmp(why, "NOPERM", 6) == 0 ? FINDING_ERROR : FINDING_DOWN,
	    "redis: %s", *why == '\0' ? "no answer in time" : why);
	return false;
}

/* Many users may not ask for settings, and need not. */
static void
ask_settings(struct run *r)
{
	const char *fsync, *save;

	if (!answers(r, queue_settings(r->q))) {
		reason_set(r->refused, "%s", queue_status(r->q)->why);
		return;
	}
	fsync = queue_setting(r->q, "appendfsync");
	save = queue_setting(r->q, "save");
	r->settings = fsync != NULL && save != NULL;
	snprintf(r->appendfsync, sizeof r->appendfsync, "%s",
	    fsync == NULL ? "" : fsync);
	snprintf(r->save, sizeof r->save, "%s", save == NULL ? "" : save);
}

static void
tell_queue(struct run *r, struct id *ret_database)
{
	const struct queue_looked *l = queue_looked(r->q);

	*ret_database = l->database;
	for (size_t i = 0; i < l->n_refused; i++)
		findings_add(r->f, FINDING_ERROR,
		    "redis: this user may not say %s; incr(7) has the user "
		    "that may",
		    queue_looked_refused(l, i));
	redis_findings_queue(
	    r->f, &(struct queue_facts){.name = r->d->queue,
		      .ready = l->ready,
		      .unacked = l->unacked,
		      .rejected = l->rejected,
		      .alive = l->alive,
		      .publishes = r->d->user == QUEUE_PUBLISHES});
}

/* INFO comes first: a session whose first call is refused takes no other. */
static void
ask(struct run *r, struct id *ret_database)
{
	const struct session_status *status = queue_status(r->q);
	struct redis_facts facts = {.replicas = queue_replicas(r->q),
	    .wait_us = -clock_us(),
	    .server_expires = status->server_expires,
	    .own_expires = status->own_expires};
	const char *info;

	if (!tells(r, queue_info(r->q)))
		return;
	facts.wait_us += clock_us();
	facts.now_us = clock_unix_ms() * 1000;
	info = queue_informed(r->q);
	if (buf_add(&r->info, info, strlen(info) + 1) < 0) {
		r->f->no_memory = true;
		return;
	}
	facts.info = buf_ptr(&r->info);
	ask_settings(r);
	facts.refused = r->refused;
	if (r->settings) {
		facts.appendfsync = r->appendfsync;
		facts.save = r->save;
	}
	redis_findings(r->f, &facts);
	if (connects(r) && tells(r, queue_look(r->q, r->d->user)))
		tell_queue(r, ret_database);
}

/* The queue itself was looked at. */
static void
ask_shards(const struct run *r)
{
	struct shard_queues s;
	char why[REASON_MAX];
	int status = shard_queues_open(&s, r->d->url, r->d->queue, r->d->shards,
	    r->deadline_ms - clock_ms(), why);

	if (status != 0) {
		findings_add(r->f,
		    status == EXIT_CONFIG ? FINDING_ERROR : FINDING_DOWN, "%s",
		    why);
		return;
	}
	if (s.n > 1)
		findings_add(r->f, FINDING_OK, "queue %s: %u shards%s",
		    r->d->queue, s.shards,
		    s.noted ? "" : ", not noted in Redis yet");
	for (size_t i = 1; i < s.n; i++) {
		struct dryrun_redis d = *r->d;
		struct run one = {.d = &d,
		    .f = r->f,
		    .q = s.list[i].q,
		    .deadline_ms = r->deadline_ms};
		struct id database;

		d.queue = s.list[i].name;
		if (connects(&one) && tells(&one, queue_look(one.q, d.user)))
			tell_queue(&one, &database);
	}
	shard_queues_close(&s);
}

void
dryrun_redis(
    struct findings *f, const struct dryrun_redis *d, struct id *ret_database)
{
	struct run r = {.d = d, .f = f, .deadline_ms = clock_ms() + d->wait_ms};
	const char *why;

	*ret_database = (struct id){0};
	r.q = queue_open(d->url, d->queue, &why);
	if (r.q == NULL) {
		findings_add(f, FINDING_ERROR, "redis: %s", why);
		return;
	}
	if (d->replicates)
		queue_replicate(r.q, d->replicas);
	if (connects(&r)) {
		ask(&r, ret_database);
		if (d->sharded)
			ask_shards(&r);
	}
	buf_free(&r.info);
	queue_close(r.q);
}
