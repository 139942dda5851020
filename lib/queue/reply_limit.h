/*
 * How much Redis is asked for in one reply.  A client-output-buffer-limit that
 * is smaller than a reply makes Redis close the connection, again and again;
 * so whoever lost a large reply asks for a quarter, down to one message.
 * Pure; times are clock_ms() values.
 */
#ifndef INCR_REPLY_LIMIT_H
#define INCR_REPLY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	REPLY_LIMIT_BYTES = 1 << 20, /* of payloads; the first one is less */
	REPLY_LIMIT_LEAST = 4096,    /* less is one message */
	REPLY_LIMIT_RAISE_MS = 60000 /* until more is tried again */
};

/* All zero: no reply was lost. */
struct reply_limit {
	uint64_t bytes;   /* of payloads in a reply; 0: no limit */
	bool single;      /* but one message */
	bool failed;      /* one message was lost, too */
	int64_t begun_ms; /* of the last call with a large reply */
	int64_t lost_ms;
};

/* A call that may have a large reply begins. */
void reply_limit_begin(struct reply_limit *l, int64_t now_ms);

/* Its connection was lost.  False if that was by time-out, after timeout_ms,
 * which says nothing of its size: unchanged. */
bool reply_limit_lost(
    struct reply_limit *l, int64_t timeout_ms, int64_t now_ms);

/* Its reply is here. */
void reply_limit_met(struct reply_limit *l);

#endif
