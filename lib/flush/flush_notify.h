/*
 * What a service manager is told of incr-flush, base/notify.h: it is ready once
 * Postgres has greeted it and incr-consume has begun its stream, or a few
 * seconds after the start, so that no outage is a failed start; its status says
 * what it waits for.
 *
 * A slow statement holds up no sign of life, since nothing in the loop waits
 * for it.  incr-consume, the other half of the pipe, is watched by
 * base/pulse.h: while it stands still no sign of life is sent.
 */
#ifndef INCR_FLUSH_NOTIFY_H
#define INCR_FLUSH_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "flush/flusher.h"

/* Before sandbox_enter(): notify_open(), and the named child is watched. */
int flush_notify_open(void);

/* Once per turn of the loop; stopping: after a signal.  When it is due again.
 */
int64_t flush_notify_tick(const struct flusher *f, bool stopping);

#endif
