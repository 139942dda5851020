/*
 * When it is logged that /health/ready says no: a proxy then answers 503 for
 * this server, and no other message may tell why.  Pure: the clock is passed
 * in, the caller prints.
 */
#ifndef INCR_READINESS_H
#define INCR_READINESS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	READINESS_SAY_MS = 1000,   /* so long it says no without a message */
	READINESS_AGAIN_MS = 60000 /* between two messages */
};

/* All zero: nobody has asked so far. */
struct readiness {
	int64_t since_ms; /* clock_ms() of the first no since a yes; 0: none */
	int64_t next_ms;  /* nothing is logged before */
};

/* It was asked.  True: that it says no, and why, is to be logged now. */
bool readiness_asked(struct readiness *r, bool ready, int64_t now_ms);

#endif
