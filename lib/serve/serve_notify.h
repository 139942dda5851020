/*
 * What a service manager is told of incr-serve, base/notify.h: it is ready as
 * soon as its loop turns, as /health/ready is, so that no outage of Redis is a
 * failed start; its status says when verdicts do not arrive.
 *
 * The neighbours of its pipe, of which any line gets a verdict in a bounded
 * time, are watched by the oldest line without one: beyond a multiple of
 * --verdict-timeout they stand still, and no sign of life is sent.
 */
#ifndef INCR_SERVE_NOTIFY_H
#define INCR_SERVE_NOTIFY_H

#include <stdint.h>

#include "serve/shutdown.h"

enum { SERVE_NOTIFY_VERDICTS = 5 }; /* times --verdict-timeout */

/* Once per turn of the loop.  When it is due again. */
int64_t serve_notify_tick(const struct shutdown *s, int64_t now_ms);

/* A reload begins; the next serve_notify_tick() says that it is done. */
void serve_notify_reload(int64_t now_ms);

#endif
