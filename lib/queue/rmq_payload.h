/*
 * Payloads as adjust/rmq writes and reads them.
 *
 * A raw payload is what LPUSH was given, maybe by a program of adjust/rmq:
 *
 *	FF 00 BE BE 4A {"string":["string", ...], ...} 0A the payload proper
 *	\____________ a header, or nothing of it _______/
 */
#ifndef INCR_RMQ_PAYLOAD_H
#define INCR_RMQ_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/fault.h"

/* Bytes of a header, from its signature to its newline, that are read; a
 * longer one is faulty. */
enum { RMQ_PAYLOAD_HEADER_MAX = 1 << 16 };

/*
 * Finds the payload proper inside raw (borrowed, never changed; *ret_text
 * points into it).  FAULT_NONE, or FAULT_FAULTY_HEADER: no newline, no JSON,
 * or other JSON than an object of arrays of strings (null for an array,
 * as Go writes an empty one, is fine); FAULT_UNAVAILABLE if memory is gone.
 */
enum fault rmq_payload_strip(
    const char *raw, size_t len, const char **ret_text, size_t *ret_len);

/* Bytes of the header, its newline included, whatever it says; 0: there is
 * none, SIZE_MAX: there is no newline. */
size_t rmq_payload_header(const char *raw, size_t len);

/*
 * Adds exactly one line and its newline: the payload proper with newlines
 * as spaces, or, in the place of one that has a faulty header, is longer
 * than LINES_JSON_MAX or would read as a control line, an error line with
 * this number.  FAULT_NONE, the fault of the error line, or
 * FAULT_UNAVAILABLE if memory is gone: nothing was added.
 */
enum fault rmq_payload_add_line(
    struct buf *out, const char *raw, size_t len, uint64_t number);

#endif
