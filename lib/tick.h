/*
 * The clocks (layer 0): the one place where time is read.
 */
#ifndef INCR_TICK_H
#define INCR_TICK_H

#include <stdint.h>

/*
 * Milliseconds since boot, suspended time included (CLOCK_BOOTTIME): for
 * every deadline, age and interval.  Never steps.
 */
int64_t tick_ms(void);

/* Microseconds of the same clock: for durations. */
int64_t tick_us(void);

/* Milliseconds since 1970 by the machine's clock, which may step: for
 * time stamps only. */
int64_t tick_unix_ms(void);

/* A number for jitter: the microseconds differ enough between processes
 * that were started together. */
uint64_t tick_noise(void);

#endif
