/*
 * The places of POST /increments requests: how many of them there may be, and
 * how many of one client.  Pure but for memory and randomness.
 *
 * A request holds a place from its first complete line until its client has
 * read the answer.  As long as less than half of the places are taken, whoever
 * comes gets one; then a client that has its share, a quarter, gets no more.
 * So one client alone can take half of them, and of several never the last one.
 */
#ifndef INCR_BULK_PLACES_H
#define INCR_BULK_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "serve/ratelimit.h"

enum { BULK_PLACES_SHARE = 4 }; /* a client's: one in so many, rounded up */

struct bulk_places_holder {
	struct ratelimit_key client;
	uint32_t held; /* 0: free */
};

struct bulk_places {
	uint64_t max, taken;
	struct bulk_places_holder *holders; /* by hash; at most half are used */
	size_t mask;                        /* number of holders - 1 */
	struct hash_seed seed;              /* no client can know its place */
};

enum bulk_places_result {
	BULK_PLACES_TAKEN,
	BULK_PLACES_FULL,  /* all are taken */
	BULK_PLACES_SHARED /* the client has its share */
};

/* max is at least 1.  0, or -1 if there is no memory. */
int bulk_places_open(struct bulk_places *p, uint64_t max);
void bulk_places_close(struct bulk_places *p);

enum bulk_places_result bulk_places_take(
    struct bulk_places *p, const struct ratelimit_key *client);

/* Gives back one that the client has taken. */
void bulk_places_give_back(
    struct bulk_places *p, const struct ratelimit_key *client);

#endif
