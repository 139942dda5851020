/*
 * The clocks (layer 0): the one place where time is read.
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

/*
 * Was the process, whose loop comes round every hour, paused for a week?
 * *last_ms is 0 at first, then the time of the last call.  What was read
 * from the queue before may have been counted since, and even the ledger
 * may have forgotten it.
 */
bool clock_paused(int64_t *last_ms);

/* Milliseconds since 1970 by the machine's clock, which may step: for
 * time stamps only. */
int64_t clock_unix_ms(void);

#endif
