/*
 * The clocks.  No other module reads the time.
 */
#ifndef INCR_CLOCK_H
#define INCR_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_HOUR_MS = 3600000, CLOCK_WEEK_MS = 604800000 };

/*
 * Milliseconds since boot, suspended time included (CLOCK_BOOTTIME): for
 * every deadline, age and interval.  Never steps.
 */
int64_t clock_ms(void);

/* Microseconds of the same clock: for durations. */
int64_t clock_us(void);

/* Microseconds of CLOCK_MONOTONIC, as sd_notify(3) wants them. */
int64_t clock_monotonic_us(void);

/*
 * Was the process paused for a week?  To be called every hour or more often;
 * *last_ms is 0 at first, then the time of the last call.  After such a pause
 * batches that were read before may have been counted by another process, and
 * their ledger row may have been deleted.
 */
bool clock_paused(int64_t *last_ms);

/* Milliseconds since 1970 by the machine's clock, which may step: for
 * time stamps only. */
int64_t clock_unix_ms(void);

#endif
