/*
 * Rate limits (layer 1): the generic cell rate algorithm of ITU-T I.371 in a
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

enum { RATE_MAX = 1000000, RATE_UNITS_MAX = 1 << 24, RATE_KEY = 16 };

/* per_s 0: no limit. */
struct rate_limit {
	uint32_t per_s, burst;
};

/* "N/s" or "N/s:BURST", both 1 to RATE_MAX; without BURST it is N.  0 or
 * -1. */
int rate_parse(const char *text, struct rate_limit *ret);

/* Whose limit: an address or the like, or a digest. */
struct rate_key {
	uint8_t bytes[RATE_KEY];
};

struct rate_slot {
	struct rate_key key;
	int64_t tat_ns; /* long ago: free */
};

struct rate {
	struct rate_slot *slots; /* sets of RATE_WAYS */
	size_t mask;             /* number of sets - 1 */
	uint64_t seed;           /* no client can know its set */
};

enum { RATE_WAYS = 8 };

/*
 * Room for about n clients (a power of two is made of it).  One more puts
 * out the client of its set that has the least to pay: what it took is
 * forgotten, which is harmless once it was paid for.  0, or -1 if memory is
 * gone.
 */
int rate_open(struct rate *r, size_t n, uint64_t seed);
void rate_close(struct rate *r);

/* What a refused client may know. */
struct rate_left {
	uint32_t units;  /* could be taken now */
	int64_t wait_ns; /* until what was asked for could be taken */
};

/*
 * Takes n (1 to RATE_UNITS_MAX) units, all or none.  More than the burst are
 * taken if nothing is owed, and paid for afterwards: else they could never
 * be.  False: refused, *ret says until when.  now_ns must be after 0.
 */
bool rate_take(struct rate *r, const struct rate_key *key,
    const struct rate_limit *limit, uint32_t n, int64_t now_ns,
    struct rate_left *ret);

/* Takes n units whether there are any or not. */
void rate_owe(struct rate *r, const struct rate_key *key,
    const struct rate_limit *limit, uint32_t n, int64_t now_ns);

/* What n units are worth. */
int64_t rate_worth(const struct rate_limit *limit, uint32_t n);

/* A number that no client can know of its key. */
uint64_t rate_hash(const struct rate *r, const struct rate_key *key);

/* Others have taken, too: key's TAT is at least tat_ns. */
void rate_raise(
    struct rate *r, const struct rate_key *key, int64_t tat_ns, int64_t now_ns);

#endif
