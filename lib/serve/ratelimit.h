/*
 * Rate limits: the generic cell rate algorithm of ITU-T I.371 in a
 * table of fixed size.  Pure: the clock is passed in.
 *
 * A client has one number, the time at which all that it took will be paid
 * for (TAT).  Each unit moves it by 1/N s from now on at the earliest, and it
 * may be ahead of the clock by what the burst is worth.
 */
#ifndef INCR_RATELIMIT_H
#define INCR_RATELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

enum {
	RATELIMIT_MAX = 1000000,
	RATELIMIT_UNITS_MAX = 1 << 24,
	RATELIMIT_DEBT_S = 60, /* of a request of many units */
	RATELIMIT_KEY = HASH_BYTES
};

/* per_s 0: no limit. */
struct ratelimit_quota {
	uint32_t per_s, burst;
};

/* "N/s" or "N/s:BURST", both 1 to RATELIMIT_MAX; without BURST it is N.  0 or
 * -1. */
int ratelimit_parse(const char *text, struct ratelimit_quota *ret);

/* The owner of a limit: an address or the like, or a digest. */
struct ratelimit_key {
	uint8_t bytes[RATELIMIT_KEY];
};

struct ratelimit_slot {
	struct ratelimit_key key;
	int64_t tat_ns; /* long ago: free */
};

struct ratelimit {
	struct ratelimit_slot *slots; /* sets of RATELIMIT_WAYS */
	size_t mask;                  /* number of sets - 1 */
	struct hash_seed seed;        /* no client can know its set */
};

enum { RATELIMIT_WAYS = 8 };

/*
 * Room for about n clients (a power of two is made of it).  One more puts
 * out the client of its set that has the least to pay: what it took is
 * forgotten, which is harmless once it was paid for.  0, or -1 if memory is
 * gone.
 */
int ratelimit_open(struct ratelimit *r, size_t n, const struct hash_seed *seed);
void ratelimit_close(struct ratelimit *r);

/* What a refused client may know. */
struct ratelimit_left {
	uint32_t units;  /* could be taken now */
	int64_t wait_ns; /* until what was asked for could be taken */
};

/*
 * Takes n (1 to RATELIMIT_UNITS_MAX) units, all or none.  More than the burst
 * are taken if nothing is owed, and paid for afterwards: else they could never
 * be.  False: refused, *ret says until when.  now_ns must be after 0.
 */
bool ratelimit_take(struct ratelimit *r, const struct ratelimit_key *key,
    const struct ratelimit_quota *limit, uint32_t n, int64_t now_ns,
    struct ratelimit_left *ret);

/* What could be taken now, and how long until one unit could be. */
struct ratelimit_left ratelimit_look(struct ratelimit *r,
    const struct ratelimit_key *key, const struct ratelimit_quota *limit,
    int64_t now_ns);

/* Units of one request at most: the burst, and what RATELIMIT_DEBT_S pay for
 * afterwards. */
uint32_t ratelimit_most(const struct ratelimit_quota *limit);

/*
 * Takes n more units (less than ratelimit_most()) for a request that has
 * taken one, all or none: as many as the burst allows and RATELIMIT_DEBT_S pay
 * for, with all that is owed.  False: refused, *ret says until when.
 */
bool ratelimit_take_more(struct ratelimit *r, const struct ratelimit_key *key,
    const struct ratelimit_quota *limit, uint32_t n, int64_t now_ns,
    struct ratelimit_left *ret);

/* Takes n units whether there are any or not. */
void ratelimit_owe(struct ratelimit *r, const struct ratelimit_key *key,
    const struct ratelimit_quota *limit, uint32_t n, int64_t now_ns);

/* What n units are worth. */
int64_t ratelimit_worth(const struct ratelimit_quota *limit, uint32_t n);

/* A number that no client can know of its key. */
uint64_t ratelimit_hash(
    const struct ratelimit *r, const struct ratelimit_key *key);

/* Others have taken, too: key's TAT is at least tat_ns. */
void ratelimit_raise(struct ratelimit *r, const struct ratelimit_key *key,
    int64_t tat_ns, int64_t now_ns);

#endif
