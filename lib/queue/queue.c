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

#include "base/log.h"
#include "queue/queue_call.h"

static enum server_fitness judge_version(
    const char *version, char ret_why[REASON_MAX]);

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
	options.key = q->version_key;
	options.judge = judge_version;
	q->session = session_open(url, &options, ret_why);
	if (q->session == NULL) {
		free(q);
		return NULL;
	}
	return q;
}

/* A release that changes what keys mean has another version. */
static enum server_fitness
judge_version(const char *version, char ret_why[REASON_MAX])
{
	if (version == NULL || strcmp(version, QUEUE_CALL_VERSION) == 0)
		return FIT;
	reason_set(ret_why,
	    "the keys of the queue are of version %.20s, of another release; "
	    "this one reads version " QUEUE_CALL_VERSION,
	    version);
	return UNFIT_FOR_EVER;
}

void
queue_close(struct queue *q)
{
	if (q == NULL)
		return;
	session_close(q->session);
	resp_args_free(&q->args);
	liveness_free(&q->liveness);
	free(q);
}

int64_t
queue_wait(const struct queue *q, struct pollfd *ret_pfd)
{
	return session_wait(q->session, ret_pfd);
}

enum queue_state
queue_step(struct queue *q, short revents)
{
	switch (session_step(q->session, revents)) {
	case SESSION_DOWN: break;
	case SESSION_IDLE: return QUEUE_IDLE;
	case SESSION_CALLING: return QUEUE_CALLING;
	case SESSION_REPLIED: return queue_call_digest(q);
	case SESSION_REFUSED: return QUEUE_REFUSED;
	case SESSION_LOST: return QUEUE_LOST;
	case SESSION_FAULT: return QUEUE_FAULT;
	}
	return QUEUE_DOWN;
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
