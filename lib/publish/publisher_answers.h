/*
 * What lines of a publisher's batches are answered, and counted as.  For
 * publisher.c alone, which says when.
 *
 * Answers go to the publisher's out.  PUBLISHER_WELL or PUBLISHER_NO_MEMORY;
 * the batch in flight is empty then.
 */
#ifndef INCR_PUBLISHER_ANSWERS_H
#define INCR_PUBLISHER_ANSWERS_H

#include <stdint.h>

#include "publish/publish_batch.h"
#include "publish/publisher.h"

/* Redis has the batch in flight, but for lines that it refused by their tags,
 * and its number is used. */
enum publisher_state publisher_answers_settle(struct publisher *c);

/* It has no room for it, and no earlier sending may be done yet. */
enum publisher_state publisher_answers_no_room(struct publisher *c);

/* Redis may have it or get it yet, so nobody sends it again. */
enum publisher_state publisher_answers_unknown(struct publisher *c);

/* The lines of b that arrived at limit_ms or before are unavailable.  0, or -1
 * if memory is gone. */
int publisher_answers_expire(
    struct publisher *c, struct publish_batch *b, int64_t limit_ms);

#endif
