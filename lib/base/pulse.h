/*
 * Whether another process still turns, by the number of its context switches in
 * /proc: one whose loop wakes several times a second, as that of incr-consume
 * does, stands still if that number does for ten seconds.  It may be stopped,
 * wait for ever, or be deadlocked.
 */
#ifndef INCR_PULSE_H
#define INCR_PULSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PULSE_LOOK_MS = 1000, /* between two looks */
	PULSE_MS = 10000      /* without a switch */
};

/* All zero: nobody is watched. */
struct pulse {
	bool open;
	int fd; /* of its status: a sandbox may hide it later */
	uint64_t turns;
	int64_t seen_ms; /* of the last look that found another number */
	int64_t next_ms;
};

/* Watches pid from now on, if it is there; 0: nobody.  Before sandbox_enter():
 * what is confined can't see in /proc who is confined in another way. */
void pulse_open(struct pulse *p, pid_t pid);

/* Looks if it is time.  Does it stand still?  One that can't be seen, or whose
 * switches the kernel does not count, does not. */
bool pulse_stands(struct pulse *p, int64_t now_ms);

/* The sum of both kinds of switches in a text as /proc/PID/status; 0, or -1 if
 * there is none.  Pure. */
int pulse_parse(const char *status, uint64_t *ret);

#endif
