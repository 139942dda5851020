/*
 * Control lines: checkpoints and errors (layer 2), incr-record(5).
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

enum record_kind {
	RECORD_DATA, /* no control line: an increment or anything else */
	RECORD_CHECKPOINT,
	RECORD_ERROR
};

/* The one function that says what a control line is; it looks at the first
 * bytes only. */
enum record_kind record_kind(const char *line, size_t len);

enum { RECORD_QUEUE_MAX = 128 };

struct record_checkpoint {
	char queue[RECORD_QUEUE_MAX + 1];
	struct id consumer;
	uint64_t seq;     /* 0: the stream of this consumer begins */
	uint64_t lines;   /* since the last checkpoint */
	int64_t taken_ms; /* Unix milliseconds by Redis's clock */
	int64_t since_ms; /* published then at the earliest; 0: not said, and
			   * then not long before it was taken */
	bool adopted;
	bool end; /* the consumer left in order; nothing follows */
};

/* 0, or -1 if line is not a well-formed checkpoint ("since" and "end" may be
 * absent), or,
 * with errno ENOMEM, memory is gone. */
int record_parse_checkpoint(
    const char *line, size_t len, struct record_checkpoint *ret);

/* Adds the line with its newline ("since" and "end" only if said).  0, or -1 if
 * memory is gone. */
int record_add_checkpoint(struct buf *out, const struct record_checkpoint *c);

struct record_error {
	enum fault fault;
	uint64_t line; /* number of the input line, from 1 */
};

/* 0, or -1 if line is not a well-formed error with a known code, or, with
 * errno ENOMEM, memory is gone. */
int record_parse_error(const char *line, size_t len, struct record_error *ret);

/* Adds the line with its newline.  0, or -1 if memory is gone. */
int record_add_error(struct buf *out, const struct record_error *e);

#endif
