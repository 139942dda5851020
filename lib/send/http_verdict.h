/*
 * What the answer to one POST says of the lines in it, or its absence does.
 * Pure.
 *
 * "Not counted" is said only where it is certain: nothing of the request was
 * sent, or a status that incr-serve gives before it passes a line on.
 */
#ifndef INCR_HTTP_VERDICT_H
#define INCR_HTTP_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/fault.h"

/* What came back. */
struct http_answer {
	long status;      /* of the final response; below 200: there was none */
	bool many;        /* the request had many lines, not one JSON text */
	bool untrusted;   /* nothing was sent: the server's certificate does not
			   * verify, or the authorities can not be read */
	bool sent;        /* something of the request was sent */
	bool token;       /* the request had one */
	bool deaf;        /* the request had an Incr-Line-Offset, and it does
			   * not say the same */
	const char *type; /* Content-Type, NULL: none */
	const char *text; /* the body, or its beginning */
	size_t len;       /* of text, in bytes */
	int64_t retry_after_s; /* Retry-After, 0: none */
};

enum http_verdict_kind {
	HTTP_VERDICT_ALL,   /* fault is that of every line */
	HTTP_VERDICT_LINES, /* text has one answer line per line */
	HTTP_VERDICT_RETRY, /* not counted this time, worth another try */
	HTTP_VERDICT_DEAF,  /* a server that ignores Incr-Line-Offset, so that
			     * it took lines for others: unknown, and no other
			     * line may be sent */
	HTTP_VERDICT_WRONG  /* not counted, and no other try would be: a
			     * redirect or a certificate that does not verify,
			     * so the URL or the authorities are wrong */
};

struct http_verdict {
	enum http_verdict_kind kind;
	/* FAULT_NONE: accepted.  FAULT_UNAVAILABLE: not counted.
	 * FAULT_UNKNOWN: may have been counted.  Any other: the reason of the
	 * server for refusing it. */
	enum fault fault;
	const char *text; /* of HTTP_VERDICT_LINES, that of the answer */
	size_t len;
	int64_t retry_after_ms; /* what the server asks for, 0: nothing */
	bool limited;           /* for it is the rate of this client */
	/* Of FAULT_UNAVAILABLE, constant, or NULL: why, for error lines in
	 * place of fault_detail(), and what the user can do, for a message. */
	const char *detail, *remedy;
};

struct http_verdict http_verdict_of(const struct http_answer *a);

#endif
