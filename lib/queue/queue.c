/*
 * A queue is a session that loads the scripts: opened, stepped, closed.
 *
 * In: one call at a time.  Out: its result.  Every change is one script, so
 * a process killed at any line leaves it done or not done; a call whose reply
 * was lost is repeated as it was (introduce and register apart), and the
 * scripts see to it that it counts once.
 *
 * Who owns an increment: the publisher's caller until QUEUE_PUSHED or
 * QUEUE_BEFORE, then Redis until queue_acknowledge.
 */
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "queue/queue_call.h"
#include "queue/queue_key.h"
#include "redis/replicas.h"

/* Its name may go to another node until then, when the queue is closed. */
enum { LAST_MS = 200 };

static enum server_fitness judge_version(void *ctx, const char *version,
    uint64_t replicas, char ret_why[REASON_MAX]);
static enum server_fitness judge_replicas(
    void *ctx, const char *noted, uint64_t replicas, char ret_why[REASON_MAX]);
static enum queue_state replied(struct queue *q);
static enum queue_state refused(struct queue *q);
static enum queue_state lost(struct queue *q);
static void note_loss(struct queue *q);

struct queue *
queue_open(const char *url, const char *name, const char **ret_why)
{
	struct session_options options = queue_call_session;
	struct queue *q;

	*ret_why = "not a queue's name";
	if (!queue_name_is_valid(name, strlen(name)))
		return NULL;
	*ret_why = LOG_NO_MEMORY;
	q = calloc(1, sizeof *q);
	if (q == NULL)
		return NULL;
	memcpy(q->name, name, strlen(name) + 1);
	q->call = q->done = QUEUE_CALL_NONE;
	snprintf(q->version_key, sizeof q->version_key,
	    "incr::queue::[%s]::version", name);
	snprintf(q->replicas_key, sizeof q->replicas_key,
	    "incr::queue::[%s]::replicas", name);
	snprintf(q->cluster_version_key, sizeof q->cluster_version_key,
	    "incr::queue::{%s}::version", name);
	snprintf(q->cluster_replicas_key, sizeof q->cluster_replicas_key,
	    "incr::queue::{%s}::replicas", name);
	q->keys[0] = (struct handshake_key){
	    q->version_key, q->cluster_version_key, judge_version, NULL};
	q->keys[1] = (struct handshake_key){
	    q->replicas_key, q->cluster_replicas_key, judge_replicas, q};
	options.keys = q->keys;
	options.n_keys = sizeof q->keys / sizeof *q->keys;
	q->url = url;
	q->names_ms = IO_FOREVER;
	q->session = session_open(url, &options, ret_why);
	if (q->session == NULL) {
		free(q);
		return NULL;
	}
	return q;
}

/* A release that changes what keys mean has another version. */
static enum server_fitness
judge_version(
    void *ctx, const char *version, uint64_t replicas, char ret_why[REASON_MAX])
{
	(void)ctx;
	(void)replicas;
	if (version == NULL || strcmp(version, QUEUE_CALL_VERSION) == 0 ||
	    strcmp(version, QUEUE_CALL_VERSION_BEFORE) == 0)
		return FIT;
	reason_set(ret_why,
	    "the keys of the queue are of version %.20s, of another release; "
	    "this one reads version " QUEUE_CALL_VERSION,
	    version);
	return UNFIT_FOR_EVER;
}

/* Nothing begins on a primary that can't confirm it. */
static enum server_fitness
judge_replicas(
    void *ctx, const char *noted, uint64_t replicas, char ret_why[REASON_MAX])
{
	struct queue *q = ctx;
	uint64_t n = 0;

	if (!q->confirms)
		return FIT;
	if (noted != NULL && num_u64(noted, 0, REPLICAS_MAX, &n) < 0) {
		reason_set(ret_why,
		    "replicas of the queue: %.20s: not a "
		    "number from 0 to %d",
		    noted, REPLICAS_MAX);
		return UNFIT_FOR_EVER;
	}
	if (q->told && q->replicas < n) {
		reason_set(ret_why,
		    "the queue has noted %ju replicas, not %ju (--replicas)",
		    (uintmax_t)n, (uintmax_t)q->replicas);
		return UNFIT_FOR_EVER;
	}
	if (!q->told)
		q->replicas = n;
	if (replicas < q->replicas) {
		reason_set(ret_why,
		    "%ju of %ju replicas connected (--replicas)",
		    (uintmax_t)replicas, (uintmax_t)q->replicas);
		return UNFIT_NOW;
	}
	return FIT;
}

void
queue_replicate(struct queue *q, const uint64_t *told)
{
	q->confirms = true;
	q->told = told != NULL;
	q->replicas = told == NULL ? 0 : *told;
}

bool
queue_confirms(const struct queue *q)
{
	return q->confirms && q->replicas > 0;
}

void
queue_close(struct queue *q)
{
	if (q == NULL)
		return;
	session_close(q->session);
	queue_names_finish(&q->names, q->name, LAST_MS);
	resp_args_free(&q->args);
	mark_groups_free(&q->groups);
	buf_free(&q->opening);
	buf_free(&q->ending);
	buf_free(&q->restore.seqs);
	liveness_free(&q->liveness);
	queue_members_free(&q->members);
	batch_pieces_clear(&q->pieces);
	free(q);
}

int64_t
queue_wait(const struct queue *q, struct pollfd *ret_pfd)
{
	return num_min(session_wait(q->session, ret_pfd), q->names_ms);
}

enum queue_state
queue_step(struct queue *q, short revents)
{
	q->names_ms = queue_names_step(&q->names, q->name);
	switch (session_step(q->session, revents)) {
	case SESSION_DOWN: break;
	case SESSION_IDLE: return QUEUE_IDLE;
	case SESSION_CALLING: return QUEUE_CALLING;
	case SESSION_REPLIED: return replied(q);
	case SESSION_REFUSED: return refused(q);
	case SESSION_LOST: return lost(q);
	case SESSION_FAULT: return QUEUE_FAULT;
	}
	return QUEUE_DOWN;
}

/* The reply of a call, or once more, when enough replicas have it. */
static enum queue_state
replied(struct queue *q)
{
	enum queue_state state;
	int64_t wait_ms;

	if (q->confirming) {
		q->confirming = false;
		return QUEUE_DONE;
	}
	state = queue_call_digest(q);
	if (state == QUEUE_DONE && queue_status(q)->cluster &&
	    (q->done == QUEUE_CALL_INTRODUCE ||
		q->done == QUEUE_CALL_REGISTER)) {
		queue_names_begin(&q->names, q->url);
		q->names_ms = clock_ms();
	}
	wait_ms = state == QUEUE_DONE ? queue_call_confirm_ms(q) : 0;
	if (wait_ms == 0)
		return state;
	q->confirmed_ms = clock_ms();
	q->confirming = true;
	if (session_confirm(q->session, q->replicas, wait_ms) == 0)
		return QUEUE_CALLING;
	queue_hang_up(q);
	return QUEUE_LOST;
}

/* A transaction is one way of two. */
static enum queue_state
refused(struct queue *q)
{
	return q->call == QUEUE_CALL_ADMIT && queue_call_admit_refused(q) == 0
		   ? QUEUE_CALLING
		   : QUEUE_REFUSED;
}

static enum queue_state
lost(struct queue *q)
{
	bool renewed = q->confirming && q->call == QUEUE_CALL_RENEW;

	if (!q->confirming)
		note_loss(q);
	q->confirming = false;
	if (renewed && queue_status(q)->idle)
		return QUEUE_DONE;
	q->done = QUEUE_CALL_NONE;
	return QUEUE_LOST;
}

/* Was the reply too large for Redis? */
static void
note_loss(struct queue *q)
{
	if (!queue_call_is_large(q->call) ||
	    !reply_limit_lost(&q->limit, QUEUE_REPLY_MS, clock_ms()))
		return;
	session_explain(q->session,
	    q->limit.failed ? "connection closed at one message, which may be "
			      "larger than client-output-buffer-limit"
			    : "connection closed at a large reply, see "
			      "client-output-buffer-limit");
}

bool
queue_at_limit(const struct queue *q)
{
	return q->limit.failed;
}

const struct session_status *
queue_status(const struct queue *q)
{
	return session_status(q->session);
}

void
queue_hang_up(struct queue *q)
{
	session_hang_up(q->session);
}

void
queue_move_on(struct queue *q)
{
	session_move_on(q->session);
}
