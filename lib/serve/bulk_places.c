/* Counts the requests of many lines, by client, in a hash table. */
#include "serve/bulk_places.h"

#include <stdlib.h>
#include <string.h>

static size_t find(
    const struct bulk_places *p, const struct ratelimit_key *client);
static void drop(struct bulk_places *p, size_t hole);

int
bulk_places_open(struct bulk_places *p, uint64_t max)
{
	size_t n = 2;

	while (n < 2 * max)
		n *= 2;
	*p = (struct bulk_places){.max = max, .mask = n - 1};
	hash_seed_make(&p->seed);
	p->holders = calloc(n, sizeof *p->holders);
	return p->holders == NULL ? -1 : 0;
}

void
bulk_places_close(struct bulk_places *p)
{
	free(p->holders);
	*p = (struct bulk_places){0};
}

enum bulk_places_result
bulk_places_take(struct bulk_places *p, const struct ratelimit_key *client)
{
	uint64_t share = (p->max + BULK_PLACES_SHARE - 1) / BULK_PLACES_SHARE;
	struct bulk_places_holder *h;

	if (p->taken >= p->max)
		return BULK_PLACES_FULL;
	h = &p->holders[find(p, client)];
	if (2 * p->taken >= p->max && h->held >= share)
		return BULK_PLACES_SHARED;
	h->client = *client;
	h->held++;
	p->taken++;
	return BULK_PLACES_TAKEN;
}

void
bulk_places_give_back(struct bulk_places *p, const struct ratelimit_key *client)
{
	size_t at = find(p, client);

	p->taken--;
	if (--p->holders[at].held == 0)
		drop(p, at);
}

static size_t
home(const struct bulk_places *p, const struct ratelimit_key *client)
{
	return hash_of(&p->seed, client->bytes) & p->mask;
}

/* Where the client is, or would be. */
static size_t
find(const struct bulk_places *p, const struct ratelimit_key *client)
{
	size_t at = home(p, client);

	while (p->holders[at].held > 0 &&
	       memcmp(&p->holders[at].client, client, sizeof *client) != 0)
		at = (at + 1) & p->mask;
	return at;
}

/* Nobody is found behind a hole: who stands behind it and is not nearer to
 * home there moves into it. */
static void
drop(struct bulk_places *p, size_t hole)
{
	size_t at = hole;

	for (;;) {
		at = (at + 1) & p->mask;
		if (p->holders[at].held == 0)
			break;
		if (((at - home(p, &p->holders[at].client)) & p->mask) >=
		    ((at - hole) & p->mask)) {
			p->holders[hole] = p->holders[at];
			hole = at;
		}
	}
	p->holders[hole].held = 0;
}
