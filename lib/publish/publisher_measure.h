/*
 * Measuring the queue for its gauges, in between the batches of a publisher.
 * For publisher.c alone.
 *
 * There is one call at a time, so while this one is under way the batch in
 * flight is in no call: nothing that becomes of it says anything about a batch.
 */
#ifndef INCR_PUBLISHER_MEASURE_H
#define INCR_PUBLISHER_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "publish/publisher.h"

/* Begins the call if it is time.  True if it is under way. */
bool publisher_measure_begin(struct publisher *c, int64_t now_ms);

/* Takes its result.  Returns the state of the queue as the publisher is to see
 * it, who is not told that this call was answered or refused: that does not say
 * whether batches are. */
enum queue_state publisher_measure_step(
    struct publisher *c, enum queue_state state);

#endif
