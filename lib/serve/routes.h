/*
 * The resources of incr-serve, and its answer to each request: the handler
 * (http/handler.h) of its connections.
 */
#ifndef INCR_ROUTES_H
#define INCR_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "http/handler.h"
#include "serve/access.h"
#include "serve/backend.h"
#include "serve/bulk_queue.h"
#include "serve/cors.h"
#include "serve/failure_log.h"
#include "serve/readiness.h"
#include "serve/serve_metrics.h"

/* Roles of connections: which resources there are. */
enum { ROUTES_FRONT, ROUTES_METRICS };

/* What the routes use, borrowed for ever, and what they keep. */
struct routes {
	struct access *access;
	struct backend *backend;
	struct bulk_queue *bulk;
	struct serve_metrics *metrics;
	const struct cors *cors;
	struct failure_log failures; /* answers 503 and 504, and 207 that have
				      * such lines; the owner logs them */
	bool unready;                /* stopping: /health/ready says no */
	struct readiness readiness;
	char why_unready[REASON_MAX]; /* to be logged; "": nothing */
};

/* The handler whose service is r. */
struct handler routes_handler(struct routes *r);

/* Why /health/ready has said no for a second, "object: reason", to be logged
 * once.  False: there is nothing to log. */
bool routes_why_unready(struct routes *r, char ret_why[REASON_MAX]);

/* The verdict on a line of x.  The decision is for conn_decide(). */
enum decision routes_verdict(struct routes *r, struct exchange *x,
    const struct backend_verdict *v, struct response *ret_answer);

#endif
