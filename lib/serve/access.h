/*
 * Who may post, and how much (layer 3): tokens and rate limits.
 *
 * What a gate refuses it answers by itself, before anything of the body was
 * kept: 401, 403 or 429.  Health and metrics have no gate.
 */
#ifndef INCR_ACCESS_H
#define INCR_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/conn.h"
#include "net/address.h"
#include "serve/ratelimit.h"

struct access_options {
	const char *tokens; /* a file of tokens.h; NULL: all may enter */
	struct ratelimit_quota rate; /* of those who have none of their own */
	struct address_trust trust;
	const char *redis; /* where rates are shared, or NULL */
};

/* Borrows o for ever.  0, or -1 with the reason. */
int access_open(const struct access_options *o, char *ret_why, size_t why_size);

/* Reads the file of tokens again.  0, or -1 with the reason: the tokens stay
 * as they were. */
int access_reload(char *ret_why, size_t why_size);

void access_close(void);

/* Sets x->client.  False: x was answered, 401 or 403.  At its head. */
bool access_enter(
    struct exchange *x, const struct http_request *r, const char *head);

/* Takes n (1 to RATELIMIT_UNITS_MAX) units of the client's rate, all or none,
 * for n increments.  False: x was answered, 429. */
bool access_take(struct exchange *x, uint32_t n);

/* x has n more increments than were known when it was let in: they are paid
 * for afterwards. */
void access_owe(const struct exchange *x, uint32_t n);

#endif
