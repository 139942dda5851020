/*
 * HTTP POSTs to one URL, or many lines at once to its plural (layer 2):
 * several connections, kept alive.
 *
 * A program's loop:
 *
 *	deadline = http_client_wait(p, &pfd);           what to poll for
 *	... io_poll ...
 *	http_client_step(p);
 *	while (http_client_next(p, &result)) ...        what has become of a
 *request
 *
 * A request is sent once.  What did not certainly stay uncounted is never
 * repeated, neither here nor by libcurl, which by itself sends a POST again
 * when a connection that it used before closes without an answer.  No proxy
 * is used: its 503 would promise nothing.  Prints nothing.
 */
#ifndef INCR_HTTP_CLIENT_H
#define INCR_HTTP_CLIENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/fault.h"

struct post;

struct http_client_settings {
	const char *url;    /* http:// or https:// */
	const char *cacert; /* PEM file of authorities, NULL: the system's */
	const char *token;  /* sent as Authorization: Bearer, or NULL */
	size_t max;         /* requests in flight, and connections */
	int64_t timeout_ms; /* from the start of a request to its answer */
};

/* Copies what it needs; no input or output yet.  NULL with *ret_why: a text
 * that never contains the URL.  Caller closes. */
struct post *http_client_open(
    const struct http_client_settings *set, const char **ret_why);

/* Drops requests in flight: their outcome is unknown. */
void http_client_close(struct post *p);

/* "http://host:port", without credentials; borrowed until http_client_close. */
const char *http_client_name(const struct post *p);

/* Requests that may be started now. */
size_t http_client_room(const struct post *p);

/* Can many lines go in one request?  If the URL's path ends in /increment,
 * to /increments. */
bool http_client_takes_many(const struct post *p);

struct http_client_request {
	const char *body; /* borrowed until its result */
	size_t len;
	bool many;       /* lines, else one JSON text */
	const char *key; /* Idempotency-Key, or NULL; copied */
	void *token;     /* given back with the result */
};

/* Starts a request.  0, or -1 if there is no room or memory is gone. */
int http_client_start(
    struct post *p, const struct http_client_request *request);

/* Fills *ret_pfd with what to wait for.  Returns the clock_ms() at which
 * http_client_step is due even if nothing is ready. */
int64_t http_client_wait(const struct post *p, struct pollfd *ret_pfd);

/* Does what can be done now. */
void http_client_step(struct post *p);

struct http_client_result {
	void *token;
	/* FAULT_NONE: accepted (202).  FAULT_UNAVAILABLE: certainly not
	 * counted.  FAULT_UNKNOWN: may have been counted.  Any other: the
	 * answer's reason for refusing it. */
	enum fault fault;
	bool again;       /* not counted now, worth another try */
	const char *text; /* 207: the answer, one line per line; else
			   * NULL; borrowed until the next http_client_start */
	size_t len;
	int64_t retry_after_ms; /* what the server asks for, 0 if nothing */
	const char
	    *why; /* one line; borrowed until the next http_client_start */
};

/* One finished request; false if there is none. */
bool http_client_next(struct post *p, struct http_client_result *ret);

#endif
