/*
 * Which requests that the server failed are logged, and when.  Pure: the clock
 * is passed in, the caller prints.
 *
 * The first one is logged at once; of those that follow within a second one is
 * logged at its end, with their number: at most a line a second, however many
 * requests fail.
 */
#ifndef INCR_FAILURE_LOG_H
#define INCR_FAILURE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "http/http_status.h"
#include "http/traceparent.h"

enum { FAILURE_LOG_EVERY_MS = 1000 };

struct failure {
	enum http_status status;
	const char *code; /* constant, as is why */
	const char *why;  /* NULL: the code is all */
	struct traceparent trace;
	uint64_t others; /* that are not logged */
};

/* All zero is none so far. */
struct failure_log {
	struct failure last; /* of those not logged yet; status 0: none */
	int64_t next_ms;     /* nothing is logged before */
};

/* A request was answered with status, because of code and why. */
void failure_log_add(struct failure_log *c, enum http_status status,
    const char *code, const char *why, const struct traceparent *t);

/* The failure to be logged now; at the end of the program, now_ms is INT64_MAX.
 * False: none. */
bool failure_log_next(
    struct failure_log *c, int64_t now_ms, struct failure *ret);

/* When there will be one to log, INT64_MAX if never. */
int64_t failure_log_due(const struct failure_log *c);

#endif
