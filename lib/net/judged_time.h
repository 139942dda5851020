/*
 * The time by which time limits are judged, in a program that may be paused.
 * Pure: clocks are passed in, all are clock_ms() values.
 *
 * A limit that is judged by the clock alone fails who kept it: while the
 * program was stopped, or had no CPU, what was sent to it waited in a pipe or a
 * socket.  So this time is never later than the last look at everything that is
 * ready.  After a pause it stands still for JUDGED_TIME_HOLD_MS more, since
 * pipes and sockets hold only a part of what is on its way.
 */
#ifndef INCR_JUDGED_TIME_H
#define INCR_JUDGED_TIME_H

#include <stdint.h>

enum {
	JUDGED_TIME_LATE_MS = 200, /* a look so late is a pause */
	JUDGED_TIME_HOLD_MS = 1000 /* and how long limits wait after it */
};

struct judged_time {
	int64_t now_ms;  /* limits due by then are over */
	int64_t hold_ms; /* now_ms stands still until then */
};

struct judged_time_look {
	int64_t due_ms;    /* when it was to end, IO_FOREVER: at no time */
	int64_t looked_ms; /* all that was ready then was seen */
	int64_t ended_ms;
};

/* Everything ready was looked at.  Looks that are late all the time, on a busy
 * machine, hold limits up by JUDGED_TIME_HOLD_MS, not for ever. */
void judged_time_looked(
    struct judged_time *t, const struct judged_time_look *look);

/* When to look again if due_ms, made from t->now_ms, asks for it: a limit that
 * is held up is not due before. */
int64_t judged_time_due(const struct judged_time *t, int64_t due_ms);

#endif
