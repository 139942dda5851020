/*
 * The tasks of a connection that carries one call at a time: which task goes
 * next, which one is under way, when it may be tried again, and since when
 * the service has not answered.  Pure.
 *
 * A task is a number of the caller's enum, from 1 to TASK_QUEUE_MAX; of those
 * that wait the lowest goes first.  A task waits from task_queue_add to
 * task_queue_remove, so a call that was lost or refused is made again.
 *
 *	task_queue_step(link)            a task that was done, if any
 *	... what was done, task_queue_remove, task_queue_add ...
 *	task_queue_next                  a task that may begin, if any
 *	... the call ...
 *	task_queue_begin, or task_queue_pause if the call could not begin
 */
#ifndef INCR_TASK_QUEUE_H
#define INCR_TASK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/outage.h"

enum {
	TASK_QUEUE_NONE = 0, /* no task */
	TASK_QUEUE_MAX = 31
};

/* What the connection is doing, as its own step function says. */
enum task_queue_link {
	TASK_QUEUE_DOWN,    /* there is no connection */
	TASK_QUEUE_IDLE,    /* a call may begin */
	TASK_QUEUE_CALLING, /* a call is under way */
	TASK_QUEUE_DONE,    /* the call under way was answered */
	TASK_QUEUE_REFUSED, /* it was answered with an error */
	TASK_QUEUE_LOST     /* its answer will not come */
};

struct task_queue {
	uint32_t waiting; /* bit t: task t is to be done */
	bool held;        /* none may begin but exempt; set by the caller */
	unsigned exempt;  /* a task; the same */
	unsigned running; /* the task whose call is under way */
	struct backoff backoff[TASK_QUEUE_MAX + 1];
	int64_t pause_ms[TASK_QUEUE_MAX + 1]; /* clock_ms(): that task does not
					       * begin before */
	uint32_t failed; /* bit t: the last call of task t had no answer */
	/* From the first failure until each task that failed has its answer,
	 * or no task waits; outage_step is the caller's. */
	struct outage outage;
};

/* No task; nothing was answered yet. */
void task_queue_init(struct task_queue *q, int64_t now_ms);

void task_queue_add(struct task_queue *q, unsigned task);
void task_queue_remove(struct task_queue *q, unsigned task);

/* Does it wait, or is it under way?  Then task_queue_due has its time. */
bool task_queue_has(const struct task_queue *q, unsigned task);

/* The task that may begin at now_ms on an idle connection. */
unsigned task_queue_next(const struct task_queue *q, int64_t now_ms);

/* The call of task has begun. */
void task_queue_begin(struct task_queue *q, unsigned task);

/* The task does not begin before a delay that doubles until it is done; the
 * others do. */
void task_queue_pause(struct task_queue *q, unsigned task, int64_t now_ms);

/* The connection is at link; explained: it says why something failed.
 * Returns the task that was done, which still waits. */
unsigned task_queue_step(struct task_queue *q, enum task_queue_link link,
    bool explained, int64_t now_ms);

/* The clock_ms() at which the next step is due.  due_ms is when the
 * connection itself is due; idle: a call may begin. */
int64_t task_queue_due(
    const struct task_queue *q, bool idle, int64_t due_ms, int64_t now_ms);

#endif
