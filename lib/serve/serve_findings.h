/*
 * The dry run of incr-serve: what of its addresses, tokens and limits would be
 * wrong.  Changes nothing; what is said of a Redis with shared rates takes
 * SERVE_FINDINGS_MS at most.
 */
#ifndef INCR_SERVE_FINDINGS_H
#define INCR_SERVE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/findings.h"

enum { SERVE_FINDINGS_MS = 5000 };

/* An address to listen on.  exposed: other hosts may reach it. */
void serve_findings_address(struct findings *f, const char *addr, bool exposed);

/* The file of tokens; NULL: none. */
void serve_findings_tokens(struct findings *f, const char *path);

/* Connections, against the limit of descriptors. */
void serve_findings_limit(struct findings *f, uint64_t max_connections);

/* The Redis of shared rates. */
void serve_findings_redis(struct findings *f, const char *url);

#endif
