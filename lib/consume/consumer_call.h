/*
 * The calls of a consumer: which are of use, when they are due, and how one is
 * sent.  For consumer.c and consumer_call.c alone.
 */
#ifndef INCR_CONSUMER_CALL_H
#define INCR_CONSUMER_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "consume/consumer.h"

/* Would the answer to call be of use now? */
bool consumer_call_is_of_use(const struct consumer *c, enum consumer_call call);

/* When call may be made: IO_FOREVER if it is of no use now. */
int64_t consumer_call_due(const struct consumer *c, enum consumer_call call);

/* Sends c->call.  0, or -1: memory is gone, as the queue is idle. */
int consumer_call_send(struct consumer *c);

/* Is the consumer idle, so that looks stand for its takes and renewals? */
bool consumer_call_is_spared(const struct consumer *c);

#endif
