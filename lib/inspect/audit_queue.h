/*
 * The half of an audit that is Redis's: lists and batches of a queue as of one
 * moment.
 */
#ifndef INCR_AUDIT_QUEUE_H
#define INCR_AUDIT_QUEUE_H

#include "inspect/audit.h"
#include "queue/queue.h"

/* Reads the lists and the batches of queues[at].  AUDIT_DONE, or why not. */
enum audit_state audit_queue_read(struct audit *a);

/* What an audit says of a call that has failed so. */
enum audit_state audit_queue_failed(enum queue_state state);

#endif
