/*
 * One call of the queue after the other, each waited for (layer 2): for
 * programs that people type.
 */
#ifndef INCR_QUEUE_SYNC_H
#define INCR_QUEUE_SYNC_H

#include <stdint.h>

#include "queue/queue.h"

/*
 * Waits until a call may begin.  QUEUE_IDLE; QUEUE_FAULT; QUEUE_DOWN if it
 * may not after wait_ms.  queue_status says why.
 */
enum queue_state queue_sync_idle(struct queue *q, int64_t wait_ms);

/*
 * Waits for the end of the call that has begun, one of those that
 * queue_repeat knows; one that is lost is repeated for wait_ms.  QUEUE_DONE;
 * QUEUE_REFUSED, and it was not done; QUEUE_FAULT; QUEUE_DOWN: no answer,
 * it may have been done or be done now.
 */
enum queue_state queue_sync_done(struct queue *q, int64_t wait_ms);

#endif
