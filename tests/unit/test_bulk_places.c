/* Places beside a plain count of who has how many. */
#include "check.h"
#include "serve/bulk_places.h"

#include <stdlib.h>

enum { CLIENTS = 40 };

static struct ratelimit_key
key(uint32_t i)
{
	struct ratelimit_key k = {{0}};

	memcpy(k.bytes, &i, sizeof i);
	return k;
}

/* What the header says. */
static enum bulk_places_result
expect(uint64_t max, uint64_t taken, uint32_t held)
{
	uint64_t share = (max + 3) / 4;

	if (taken == max)
		return BULK_PLACES_FULL;
	return 2 * taken >= max && held >= share ? BULK_PLACES_SHARED
						 : BULK_PLACES_TAKEN;
}

static void
random_walk(uint64_t max)
{
	struct bulk_places p;
	uint32_t held[CLIENTS] = {0};
	uint64_t taken = 0;
	size_t results[3] = {0};

	check(bulk_places_open(&p, max) == 0, "open");
	for (int i = 0; i < 20000; i++) {
		/* Some come more often than others. */
		uint32_t clients = max < 16 ? CLIENTS : 6;
		uint32_t who = (uint32_t)rand() % clients;
		struct ratelimit_key k;
		enum bulk_places_result got;

		who = who * who / clients;
		k = key(who);
		/* Nearly full for a while, then nearly empty. */
		if (held[who] > 0 && rand() % 100 < (i / 1000 % 2 ? 70 : 20)) {
			bulk_places_give_back(&p, &k);
			held[who]--;
			taken--;
		} else {
			got = bulk_places_take(&p, &k);
			check(got == expect(max, taken, held[who]),
			    "%ju: %d, %ju taken, %u held", (uintmax_t)max,
			    (int)got, (uintmax_t)taken, held[who]);
			held[who] += got == BULK_PLACES_TAKEN;
			taken += got == BULK_PLACES_TAKEN;
			results[got]++;
		}
		check(p.taken == taken, "%ju", (uintmax_t)taken);
	}
	check(results[0] > 0 && results[1] > 0, "%zu taken, %zu full",
	    results[0], results[1]);
	check(max < 4 || results[2] > 0, "%ju: no share was used up",
	    (uintmax_t)max);
	for (uint32_t who = 0; who < CLIENTS; who++) {
		struct ratelimit_key k = key(who);

		for (; held[who] > 0; held[who]--)
			bulk_places_give_back(&p, &k);
	}
	for (size_t i = 0; i <= p.mask; i++)
		check(p.holders[i].held == 0, "%zu", i);
	bulk_places_close(&p);
}

/* Two senders of one token, sixteen requests each, leave room for others. */
static void
defaults(void)
{
	struct bulk_places p;
	struct ratelimit_key one = key(1), two = key(2), three = key(3);

	check(bulk_places_open(&p, 64) == 0, "open");
	for (int i = 0; i < 32; i++)
		check(bulk_places_take(&p, &one) == BULK_PLACES_TAKEN, "%d", i);
	check(bulk_places_take(&p, &one) == BULK_PLACES_SHARED, "its share");
	for (int i = 0; i < 16; i++)
		check(bulk_places_take(&p, &two) == BULK_PLACES_TAKEN, "%d", i);
	check(bulk_places_take(&p, &two) == BULK_PLACES_SHARED, "its share");
	check(bulk_places_take(&p, &three) == BULK_PLACES_TAKEN, "a third");
	bulk_places_close(&p);
}

int
main(void)
{
	static const uint64_t sizes[] = {1, 2, 3, 4, 7, 16, 64};

	for (size_t i = 0; i < check_n(sizes); i++)
		random_walk(sizes[i]);
	defaults();
	return check_end();
}
