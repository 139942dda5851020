/*
 * Cross-origin requests of browsers (the Fetch standard): fields that let the
 * pages of one origin send increments and read the answers.
 */
#ifndef INCR_CORS_H
#define INCR_CORS_H

#include <stdbool.h>
#include <stddef.h>

#include "http/response.h"

enum { CORS_ORIGIN_MAX = 255, CORS_FIELDS_MAX = 640 };

/* All zero: no page may. */
struct cors {
	char answer[CORS_FIELDS_MAX];    /* fields of every answer, or "" */
	char preflight[CORS_FIELDS_MAX]; /* of that to a preflight */
};

/* origin: "*", or scheme://host[:port] as a browser writes it, in lower case
 * and without a slash at the end.  0, or -1 if it is none. */
int cors_set(struct cors *c, const char *origin);

/* Fields for the answers to increments; NULL if there are none. */
const char *cors_fields(const struct cors *c);

/* The answer to a preflight: what a page may send. */
struct response cors_preflight(const struct cors *c);

#endif
