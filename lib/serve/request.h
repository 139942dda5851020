/*
 * What incr-serve keeps with a request: the ctx of its exchange.
 */
#ifndef INCR_REQUEST_H
#define INCR_REQUEST_H

#include <stdint.h>

#include "http/exchange.h"
#include "serve/bulk_request.h"
#include "serve/client.h"
#include "serve/idempotency.h"

struct request {
	struct bulk_request *bulk; /* of POST /increments, freed with it */
	struct client client;
	struct idempotency_tag tag; /* of its idempotency key */
	const char *hint; /* fault_hint() of its body, if that is not JSON */
	uint8_t route;    /* enum route of routes.c */
};

static inline struct request *
request_of(const struct exchange *x)
{
	return x->ctx;
}

/* ctx_end of struct handler. */
static inline void
request_end(void *ctx)
{
	bulk_request_free(((struct request *)ctx)->bulk);
}

#endif
