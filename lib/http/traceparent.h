/*
 * Trace ids of requests: traceparent of W3C Trace Context, version 00.
 *
 *	00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *	   the trace's id                   the parent's     flags
 *
 * The client chooses the trace, and every message about the request has its
 * id.  A traceparent that is not exactly this counts as none.
 */
#ifndef INCR_TRACEPARENT_H
#define INCR_TRACEPARENT_H

#include <stdbool.h>
#include <stddef.h>

enum {
	TRACEPARENT_TEXT = 55, /* characters of a traceparent */
	TRACEPARENT_ID = 32,   /* of a trace's id, */
	TRACEPARENT_ID_AT = 3  /* which begins there */
};

/* A traceparent, or all zero. */
struct traceparent {
	char text[TRACEPARENT_TEXT + 1];
};

/* Is it one?  Lower case, no id all zero, nothing behind the flags. */
bool traceparent_is_valid(const char *text, size_t len);

/* A new one, of random ids, whose flags say that nothing was recorded. */
void traceparent_make(struct traceparent *ret);

/* Makes the traceresponse of the traceparent that a client sent: a new trace if
 * t is none, else the same trace with a new parent that recorded nothing. */
void traceparent_adopt(struct traceparent *t);

#endif
