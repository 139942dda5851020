/* Waits for a call of the queue, and repeats one that was lost. */
#include "inspect/queue_sync.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"

static enum queue_state step(struct queue *q, int64_t deadline_ms);

enum queue_state
queue_sync_idle(struct queue *q, int64_t wait_ms)
{
	int64_t deadline_ms = clock_ms() + wait_ms;
	enum queue_state state = queue_step(q, 0);

	while (!queue_status(q)->idle && state != QUEUE_FAULT) {
		if (clock_ms() >= deadline_ms)
			return QUEUE_DOWN;
		state = step(q, deadline_ms);
	}
	return state == QUEUE_FAULT ? QUEUE_FAULT : QUEUE_IDLE;
}

enum queue_state
queue_sync_done(struct queue *q, int64_t wait_ms)
{
	int64_t deadline_ms = clock_ms() + wait_ms;
	bool lost = false, in_doubt = false;

	for (;;) {
		switch (step(q, lost ? deadline_ms : IO_FOREVER)) {
		case QUEUE_CALLING: continue;
		case QUEUE_DONE: return QUEUE_DONE;
		case QUEUE_FAULT: return QUEUE_FAULT;
		case QUEUE_REFUSED:
			/* Redis refuses the call, unless it has ended the
			 * connection, too: then it refuses all calls now. */
			if (queue_status(q)->idle)
				return in_doubt ? QUEUE_DOWN : QUEUE_REFUSED;
			lost = true;
			break;
		case QUEUE_LOST: lost = in_doubt = true; break;
		case QUEUE_DOWN:
		case QUEUE_IDLE: break;
		}
		if (clock_ms() >= deadline_ms)
			return QUEUE_DOWN;
		if (!queue_status(q)->idle)
			continue;
		if (!lost || queue_repeat(q) < 0)
			return QUEUE_DOWN;
		lost = false;
	}
}

static enum queue_state
step(struct queue *q, int64_t deadline_ms)
{
	struct pollfd pfd;
	int64_t due_ms = queue_wait(q, &pfd);

	due_ms = num_min(deadline_ms, due_ms);
	/* If poll fails, the time-outs of the queue still end the wait. */
	if (io_poll(&pfd, 1, due_ms) < 0)
		pfd.revents = 0;
	return queue_step(q, pfd.revents);
}
