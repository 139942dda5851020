/* Says which task a connection does next and when it is tried again. */
#include "flush/task_queue.h"

#include "base/num.h"

static void note_outage(struct task_queue *q, enum task_queue_link link,
    bool explained, int64_t now_ms);
static uint32_t may_begin(const struct task_queue *q);
static bool pauses(const struct task_queue *q, int64_t now_ms);

void
task_queue_init(struct task_queue *q, int64_t now_ms)
{
	*q = (struct task_queue){.outage = {.since_ms = now_ms}};
}

void
task_queue_add(struct task_queue *q, unsigned task)
{
	q->waiting |= UINT32_C(1) << task;
}

void
task_queue_remove(struct task_queue *q, unsigned task)
{
	q->waiting &= ~(UINT32_C(1) << task);
	q->failed &= ~(UINT32_C(1) << task);
}

bool
task_queue_has(const struct task_queue *q, unsigned task)
{
	return (q->waiting >> task & 1) != 0;
}

unsigned
task_queue_next(const struct task_queue *q, int64_t now_ms)
{
	uint32_t waiting = may_begin(q);

	for (unsigned task = 1; task <= TASK_QUEUE_MAX; task++)
		if ((waiting >> task & 1) != 0 && now_ms >= q->pause_ms[task])
			return task;
	return TASK_QUEUE_NONE;
}

static uint32_t
may_begin(const struct task_queue *q)
{
	return q->held ? q->waiting & UINT32_C(1) << q->exempt : q->waiting;
}

void
task_queue_begin(struct task_queue *q, unsigned task)
{
	q->running = task;
}

void
task_queue_pause(struct task_queue *q, unsigned task, int64_t now_ms)
{
	q->pause_ms[task] = now_ms + backoff_next(&q->backoff[task]);
}

unsigned
task_queue_step(struct task_queue *q, enum task_queue_link link, bool explained,
    int64_t now_ms)
{
	unsigned task = q->running;

	note_outage(q, link, explained, now_ms);
	if (link == TASK_QUEUE_CALLING)
		return TASK_QUEUE_NONE;
	q->running = TASK_QUEUE_NONE;
	switch (link) {
	case TASK_QUEUE_DONE: backoff_reset(&q->backoff[task]); return task;
	case TASK_QUEUE_REFUSED: task_queue_pause(q, task, now_ms); break;
	case TASK_QUEUE_DOWN:
	case TASK_QUEUE_IDLE:
	case TASK_QUEUE_CALLING:
	case TASK_QUEUE_LOST: break;
	}
	return TASK_QUEUE_NONE;
}

/* An outage ends with an answer to each task that failed, as Redis may answer
 * one kind of call and not another, or with no task to be answered (yet). */
static void
note_outage(struct task_queue *q, enum task_queue_link link, bool explained,
    int64_t now_ms)
{
	uint32_t task = UINT32_C(1) << q->running;

	switch (link) {
	case TASK_QUEUE_REFUSED:
	case TASK_QUEUE_LOST: q->failed |= task; /* fall through */
	case TASK_QUEUE_DOWN:
		if (q->outage.since_ms == 0)
			q->outage.since_ms = now_ms;
		if (explained)
			q->outage.explained = true;
		return;
	case TASK_QUEUE_IDLE:
		if (may_begin(q) != 0 || (!q->held && pauses(q, now_ms)))
			return;
		q->failed = 0;
		break;
	case TASK_QUEUE_DONE:
		q->failed &= ~task;
		if (q->failed != 0)
			return;
		break;
	case TASK_QUEUE_CALLING: return;
	}
	q->outage.since_ms = 0;
	q->outage.explained = false;
}

static bool
pauses(const struct task_queue *q, int64_t now_ms)
{
	for (unsigned task = 0; task <= TASK_QUEUE_MAX; task++)
		if (now_ms < q->pause_ms[task])
			return true;
	return false;
}

int64_t
task_queue_due(
    const struct task_queue *q, bool idle, int64_t due_ms, int64_t now_ms)
{
	if (!idle)
		return due_ms;
	if (task_queue_next(q, now_ms) != TASK_QUEUE_NONE)
		return 0;
	for (unsigned task = 0; task <= TASK_QUEUE_MAX; task++)
		if (now_ms < q->pause_ms[task])
			due_ms = num_min(q->pause_ms[task], due_ms);
	return due_ms;
}
