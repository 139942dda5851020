/*
 * How many replicas have what a connection has written: WAIT, and what its
 * reply means.
 *
 * WAIT N T answers how many replicas have all that this connection has written
 * before, once N have, or after T milliseconds.  It proves nothing as the
 * first command of a connection, and in newer versions of Redis nothing
 * behind a call that wrote nothing.  Nothing else goes over the connection
 * meanwhile.  Pure.
 */
#ifndef INCR_REPLICAS_H
#define INCR_REPLICAS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/reason.h"

enum {
	REPLICAS_MAX = 16,
	/* A primary with so few for so long may have been replaced: who is
	 * the primary is asked anew. */
	REPLICAS_SHORT_MS = 2000
};

/* All zero: not asked. */
struct replicas {
	uint64_t n; /* that must have it */
	int64_t wait_ms;
	int64_t asked_us; /* clock_us() */
	int64_t short_ms; /* clock_ms() since when there were fewer, at each
			   * answer; 0: there were enough */
};

/* Writes the request, sent at clock_us() now_us, to out, which is emptied
 * first. 0, or -1 if memory is gone. */
int replicas_ask(struct replicas *r, uint64_t n, int64_t wait_ms,
    int64_t now_us, struct buf *out);

enum replicas_answer {
	REPLICAS_HAVE_IT,
	REPLICAS_FEWER, /* ask again, after another write */
	REPLICAS_LOST   /* the connection is of no use */
};

/* Judges a reply that came at now_us: the text of an error (NULL: none), a
 * number (-1: none).  Unless REPLICAS_HAVE_IT, ret_why is the reason. */
enum replicas_answer replicas_judge(struct replicas *r, const char *error,
    int64_t have, int64_t now_us, char ret_why[REASON_MAX]);

#endif
