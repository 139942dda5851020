/*
 * What time it is at a Redis, by its own replies.
 *
 * Never ahead of its clock, unless that was set back: a reply says what it was
 * when the call was done, and only what has passed here since the reply came
 * is added.
 */
#ifndef INCR_REDIS_TIME_H
#define INCR_REDIS_TIME_H

#include <stdint.h>

/* All zero: it has not told. */
struct redis_time {
	uint64_t run;     /* of session_status: the Redis that has told */
	int64_t told_ms;  /* Unix milliseconds, by its last reply */
	int64_t reply_ms; /* clock_ms() at that reply */
};

/* Takes the time that a reply of run, at now_ms by clock_ms(), tells. */
void redis_time_take(
    struct redis_time *t, uint64_t run, int64_t told_ms, int64_t now_ms);

/* The Unix millisecond by the clock of run that is ahead_s seconds later than
 * now_ms; 0 if run has not told the time. */
uint64_t redis_time_ahead(
    const struct redis_time *t, uint64_t run, int64_t now_ms, int64_t ahead_s);

#endif
