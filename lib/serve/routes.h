/*
 * What incr-serve answers to which request (layer 3).
 */
#ifndef INCR_ROUTES_H
#define INCR_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "http/conn.h"
#include "serve/backend.h"
#include "serve/failure_log.h"

/* Roles of connections. */
enum { ROUTES_FRONT, ROUTES_METRICS };

/* The policy's calls, conn.h. */
void routes_head(
    struct exchange *x, const struct http_request *r, const char *head);
void routes_body(struct exchange *x, const char *body, size_t len);
void routes_cut(struct exchange *x, const struct response *a);
void routes_answered(const struct exchange *x);

/* The relay's, relay.h. */
void routes_told(struct exchange *x, const struct backend_verdict *v);

/* From now on /health/ready says no. */
void routes_unready(void);

/* Which request that was answered 503 or 504, or 207 for such lines, is to
 * be said now, and when the next: failure_log_next, failure_log_due. */
bool routes_complaint(int64_t now_ms, struct failure *ret);
int64_t routes_complaint_due(void);

#endif
