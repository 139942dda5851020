/*
 * Calls of the queue, one after the other, each waited for: for programs that
 * a person types.
 */
#ifndef INCR_QUEUE_SYNC_H
#define INCR_QUEUE_SYNC_H

#include <stdint.h>

#include "queue/queue.h"

/*
 * Waits until a call may begin, at most wait_ms.  Returns
 *	QUEUE_IDLE	a call may begin;
 *	QUEUE_DOWN	not within wait_ms;
 *	QUEUE_FAULT	configuration.
 * After the last two queue_status says why.
 */
enum queue_state queue_sync_idle(struct queue *q, int64_t wait_ms);

/*
 * Waits for the end of the call that has begun, one of those that
 * queue_repeat knows; if it is lost it is repeated for wait_ms.  Returns
 *	QUEUE_DONE	its result may be read;
 *	QUEUE_REFUSED	it was not done;
 *	QUEUE_DOWN	no answer: it may have been done, or be done later;
 *	QUEUE_FAULT	configuration.
 * After the last three queue_status says why.
 */
enum queue_state queue_sync_done(struct queue *q, int64_t wait_ms);

#endif
