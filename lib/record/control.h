/*
 * Control lines, which are checkpoints and errors: incr-record(5).
 *
 *	{"checkpoint":{"queue":"increments","consumer":"<uuid>","seq":7,
 *	    "lines":512,"taken":1795451234567,"adopted":false}}   (one line)
 *	    behind taken maybe "since":1795451230000, last maybe "end":true
 *	{"error":{"code":"not-json","detail":"…","line":7}}
 *
 * A control line begins with exactly {"checkpoint":{ or {"error":{ .
 */
#ifndef INCR_CONTROL_H
#define INCR_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/fault.h"
#include "record/id.h"
#include "record/queue_name.h"

enum control_kind {
	CONTROL_DATA, /* no control line: an increment or anything else */
	CONTROL_CHECKPOINT,
	CONTROL_ERROR
};

/* The one function that says what a control line is, by its first bytes. */
enum control_kind control_kind(const char *line, size_t len);

struct control_checkpoint {
	char queue[QUEUE_NAME_MAX + 1];
	struct id consumer;
	uint64_t seq;     /* 0: the stream of this consumer begins */
	uint64_t lines;   /* since the last checkpoint */
	int64_t taken_ms; /* Unix milliseconds by Redis's clock */
	int64_t since_ms; /* published then at the earliest; 0: not said, and
			   * then not long before it was taken */
	bool adopted;
	bool end; /* the consumer left in order; nothing follows */
};

/* 0, or -1 with errno: EINVAL if line is not a well-formed checkpoint ("since"
 * and "end" may be absent), or ENOMEM. */
int control_parse_checkpoint(
    const char *line, size_t len, struct control_checkpoint *ret);

/* Adds the line with its newline ("since" and "end" only if set).  0, or -1:
 * out of memory. */
int control_add_checkpoint(struct buf *out, const struct control_checkpoint *c);

struct control_error {
	enum fault fault;
	uint64_t line;      /* number of the input line, from 1 */
	const char *detail; /* NULL: that of the fault; not set by parsing */
};

/* 0, or -1 with errno: EINVAL if line is not a well-formed error with a known
 * code, or ENOMEM. */
int control_parse_error(
    const char *line, size_t len, struct control_error *ret);

/* Adds the line with its newline.  0, or -1: out of memory. */
int control_add_error(struct buf *out, const struct control_error *e);

#endif
