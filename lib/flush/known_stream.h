/*
 * Whether this program, or one before it, has ever found the consumer of its
 * stream registered in this Redis, under this queue.  Before that, a consumer
 * that is not registered means a wrong --redis; later, that it is at another
 * Redis, such as an old primary that lives on.
 */
#ifndef INCR_KNOWN_STREAM_H
#define INCR_KNOWN_STREAM_H

#include "base/once.h"

/* redis is a valid URL.  Without memory nothing is remembered. */
void known_stream_open(struct once *o, const char *redis, const char *queue);
void known_stream_close(struct once *o);

/* It was registered. */
void known_stream_note(struct once *o);

/* The exit status for one that is not. */
int known_stream_status(const struct once *o);

#endif
