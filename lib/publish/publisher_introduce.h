/*
 * What a publisher does at a Redis before its first batch there: it asks how
 * many shards there are, and makes itself known under a new id.  For
 * publisher.c alone.
 */
#ifndef INCR_PUBLISHER_INTRODUCE_H
#define INCR_PUBLISHER_INTRODUCE_H

#include "publish/publisher.h"

/* Begins the next of the two calls.  0, or -1 if memory is gone. */
int publisher_introduce_begin(struct publisher *c);

/* It was answered: what that means for the batch in flight, and the state of
 * the publisher: PUBLISHER_WELL, _SHARDED or _FAULT. */
enum publisher_state publisher_introduce_end(
    struct publisher *c, enum batch_event *ret_event);

#endif
