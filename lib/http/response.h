/*
 * HTTP responses, and problem documents (application/problem+json, RFC 9457).
 */
#ifndef INCR_RESPONSE_H
#define INCR_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http_status.h"
#include "http/traceparent.h"
#include "record/fault.h"

/*
 * One response.  code and detail (constants, never a client's bytes) make a
 * problem; type and text another body; none of them no body.
 * policy makes it the problem of draft-ietf-httpapi-ratelimit-headers-10,
 * with its fields RateLimit and RateLimit-Policy.  trace is said by a problem
 * as its trace_id, and by the field traceresponse of W3C Trace Context.
 */
struct response {
	enum http_status status;
	const char *allow;     /* Allow, or NULL */
	const char *encoding;  /* Accept-Encoding, or NULL */
	const char *more;      /* more fields, each with its CRLF, or NULL */
	uint32_t retry_s;      /* Retry-After, 0: none */
	uint32_t quota, left;  /* of policy: units per second, and now */
	const char *policy;    /* the rate limit that refuses, or NULL */
	const char *challenge; /* WWW-Authenticate, or NULL */
	const char *code, *detail;
	uint32_t most;       /* the last word of detail, or 0 */
	uint64_t first_line; /* Incr-Line-Offset plus 1, or 0 */
	const char *why;     /* of 503: more for the log, constant, or NULL */
	const struct traceparent *trace; /* borrowed, or NULL */
	const char *type;                /* Content-Type of text */
	char *text;                      /* freed by the owner of the answer */
	size_t text_len;
};

/* The response to an increment that an error line rejects; 202 for
 * FAULT_NONE. */
struct response response_fault(enum fault f);

/*
 * Adds the response, as the last one of its connection if close, without its
 * body if head_only (HEAD).  0, or -1 if there is no memory: unchanged.
 */
int response_add(
    struct buf *out, const struct response *a, bool close, bool head_only);

#endif
