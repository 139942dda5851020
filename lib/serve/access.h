/*
 * Tokens and rate limits: whether a client may send increments, and how many.
 *
 * Judged at the head of a request, before any of its body is read.  Health
 * checks and metrics are not asked for tokens.
 */
#ifndef INCR_ACCESS_H
#define INCR_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "http/handler.h"
#include "net/address.h"
#include "net/loop.h"
#include "serve/client.h"
#include "serve/ratelimit.h"
#include "serve/ratelimit_shared.h"
#include "serve/tokens.h"

struct access_options {
	const char *tokens; /* a file of tokens.h; NULL: all may send */
	struct ratelimit_quota rate; /* of clients without one of their own */
	struct address_trust trust;
	const char *redis; /* where rates are shared, or NULL */
};

/* All zero before access_open(). */
struct access {
	const struct access_options *options;
	struct tokens *tokens;
	struct ratelimit rates;
	struct ratelimit_shared shared;
};

/* Borrows o and loop for ever.  0, or -1 with the reason. */
int access_open(struct access *a, const struct access_options *o,
    const struct loop *loop, char ret_why[REASON_MAX]);

/* Reads the file of tokens again.  0, or -1 with the reason: the tokens stay
 * as they were. */
int access_reload(struct access *a, char ret_why[REASON_MAX]);

/* How many tokens there are now; 0 without a file of them. */
size_t access_tokens(const struct access *a);

void access_close(struct access *a);

/* READ with the client, or ANSWER: 401 or 403. */
enum decision access_check(struct access *a, const struct request_head *h,
    struct client *ret_client, struct response *ret_answer);

/* Sets c->who of a client that access_check() let in: with tokens its name,
 * else its address.  Peers of Unix sockets are believed who their clients are,
 * trusted or not: all clients of a proxy would be one. */
void access_identify(
    const struct access *a, const struct request_head *h, struct client *c);

/* Takes n (1 to RATELIMIT_UNITS_MAX) units of the client's rate for n
 * increments, all or none.  READ, or ANSWER: 429. */
enum decision access_take(struct access *a, const struct client *c, uint32_t n,
    struct response *ret_answer);

/* Is there a limit? */
static inline bool
access_limits(const struct client *c)
{
	return c->limit.per_s > 0;
}

/* Takes n units for the further lines of a request that access_take() let in,
 * see ratelimit_take_more().  READ, or ANSWER: 429, which says how many lines
 * it may have, if these are never let in. */
enum decision access_take_more(struct access *a, const struct client *c,
    uint32_t n, struct response *ret_answer);

/* How many units a client with a limit could take now; if none, *ret_wait_ms
 * until one could be. */
uint32_t access_left(
    struct access *a, const struct client *c, int64_t *ret_wait_ms);

/* The answer 429 to a client with a limit. */
struct response access_refusal(struct access *a, const struct client *c);

/* Takes n units, whether there are any or not: for increments that were not
 * known when access_take() was called. */
void access_owe(struct access *a, const struct client *c, uint32_t n);

#endif
