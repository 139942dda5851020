/*
 * GETs of a few URLs, each again and again: kept connections, no redirect, no
 * proxy.  An answer has a bound and a time limit.  Prints nothing.
 */
#ifndef INCR_HTTP_GET_H
#define INCR_HTTP_GET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	HTTP_GET_MAX = 16,             /* URLs */
	HTTP_GET_ANSWER_MAX = 16 << 20 /* bytes */
};

struct http_get;

struct http_get_settings {
	const char *cacert; /* PEM file of authorities for https, NULL: the
			     * system's; borrowed until the last URL is added */
	int64_t timeout_ms; /* from the start of a request to its answer */
};

/* NULL if there is no memory.  set is borrowed for ever. */
struct http_get *http_get_open(const struct http_get_settings *set);

/* Is it an http:// or https:// URL, by its beginning? */
bool http_get_is_url(const char *text);

/* Adds a URL, copied; *ret_index is its number.  0, or -1 with *ret_why: a
 * constant text that never contains it. */
int http_get_add(
    struct http_get *g, const char *url, int *ret_index, const char **ret_why);

/* "http://host:port/path", without credentials or query; borrowed. */
const char *http_get_name(const struct http_get *g, int index);

/* Asks, unless an answer is awaited already.  0, or -1: no memory. */
int http_get_start(struct http_get *g, int index);

/* io_poll() that goes on with the transfers; returns before the deadline when
 * one has ended, too. */
int http_get_poll(
    struct http_get *g, struct pollfd *fds, nfds_t n, int64_t deadline_ms);

enum http_get_state { HTTP_GET_WAITS, HTTP_GET_ANSWERED, HTTP_GET_FAILED };

/* What came of the last start.  ANSWERED: *ret_text is the body of a 200;
 * FAILED: *ret_why is one line.  Both are borrowed until the next start. */
enum http_get_state http_get_result(const struct http_get *g, int index,
    const struct buf **ret_text, const char **ret_why);

void http_get_close(struct http_get *g);

#endif
