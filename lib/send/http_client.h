/*
 * HTTP POSTs to one URL, or many lines at once to its plural: several
 * connections, kept alive.  Prints nothing.
 *
 * A program's loop:
 *
 *	deadline_ms = http_client_wait(c, &pfd);     what to poll for
 *	... io_poll ...
 *	http_client_step(c);
 *	while (http_client_next(c, &result)) ...     the verdicts
 *
 * A request is sent once.  What may have been counted is never repeated,
 * neither here nor by libcurl, which by itself sends a POST again when a
 * connection that it used before closes without an answer.  No proxy is
 * used: its 503 would promise nothing.
 */
#ifndef INCR_HTTP_CLIENT_H
#define INCR_HTTP_CLIENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "send/http_verdict.h"

struct http_client;

struct http_client_settings {
	const char *url;    /* http:// or https:// */
	const char *cacert; /* PEM file of authorities, NULL: the system's */
	const char *token;  /* sent as Authorization: Bearer, or NULL */
	uint64_t max;       /* requests in flight, and connections */
	int64_t timeout_ms; /* from the start of a request to its answer */
};

/* Copies what it needs; no input or output yet.  NULL with *ret_why: a text
 * that never contains the URL.  Caller closes. */
struct http_client *http_client_open(
    const struct http_client_settings *set, const char **ret_why);

/* Drops requests in flight: their outcome is unknown. */
void http_client_close(struct http_client *c);

/* "http://host:port", without credentials; borrowed until http_client_close. */
const char *http_client_name(const struct http_client *c);

/* Can many lines go in one request?  If the URL's path ends in /increment,
 * to /increments. */
bool http_client_takes_many(const struct http_client *c);

struct http_client_request {
	const char *body; /* borrowed until its result */
	size_t len;
	bool many;       /* lines, else one JSON text */
	const char *key; /* Idempotency-Key, at most KEY_FIELD_KEY_MAX
			  * printable characters, or NULL; copied */
	uint64_t line;   /* of the key: the first one's number, from 1; 0: the
			  * key is this request's */
	void *token;     /* given back with the result */
};

/* Starts a request.  0, or -1 if `max` are in flight, if the URL has no
 * plural for many lines, or if memory ran out. */
int http_client_start(
    struct http_client *c, const struct http_client_request *request);

/* Fills *ret_pfd with what to wait for.  Returns the clock_ms() at which
 * http_client_step is due even if nothing is ready. */
int64_t http_client_wait(const struct http_client *c, struct pollfd *ret_pfd);

/* Does what can be done now. */
void http_client_step(struct http_client *c);

/* Texts in it are borrowed until the next http_client_start. */
struct http_client_result {
	void *token;
	struct http_verdict verdict;
	bool same_line;  /* it said the Incr-Line-Offset of the request */
	const char *why; /* one line: the status, or why there is none */
};

/*
 * One finished request; false if there is none.  HTTP_VERDICT_WRONG is
 * returned only until an answer has shown that URL and authorities are right:
 * from then on it is an outage, HTTP_VERDICT_RETRY.
 */
bool http_client_next(struct http_client *c, struct http_client_result *ret);

#endif
