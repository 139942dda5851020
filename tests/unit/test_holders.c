/* Who holds batches lives if its mark was renewed, and not if it was seen. */
#include "check.h"
#include "consume/holders.h"

static const struct id a = {{1}}, b = {{2}};

static void
look(struct holders *h, int64_t now_ms, int64_t life_a, int64_t life_b)
{
	holders_begin(h);
	check(holders_note(h, &a, life_a, now_ms - 10, now_ms) == 0, "a");
	if (life_b > -9)
		check(
		    holders_note(h, &b, life_b, now_ms - 10, now_ms) == 0, "b");
	holders_end(h);
}

static bool
is_doubtful(const struct holders *h, const struct id *consumer)
{
	const struct id *found = holders_doubtful(h);

	return consumer == NULL ? found == NULL
				: found != NULL && id_equal(found, consumer);
}

int
main(void)
{
	struct holders h = {0};

	check(is_doubtful(&h, NULL), "nobody");
	look(&h, 1000, 900, -2);
	check(is_doubtful(&h, &a), "a mark proves nothing");
	look(&h, 1100, 800, -2);
	check(is_doubtful(&h, &a), "nor the rest of its life");
	look(&h, 1150, 760, -2);
	check(is_doubtful(&h, &a), "nor what may be the time on the way");
	look(&h, 1150, 850, -2);
	check(is_doubtful(&h, &a), "nor an adjusted clock");
	look(&h, 1200, 1000, -2);
	check(is_doubtful(&h, &b), "a is renewed, b has no mark");
	look(&h, 1300, 900, 1000);
	check(is_doubtful(&h, NULL), "b has one again");
	look(&h, 2400, -2, 700);
	check(is_doubtful(&h, &a), "a has none any more");
	look(&h, 2500, 1000, -9);
	check(is_doubtful(&h, NULL), "renewed again; b holds nothing");
	look(&h, 2600, 900, 900);
	check(is_doubtful(&h, &b), "b is new");
	holders_free(&h);
	check(is_doubtful(&h, NULL), "forgotten");
	return check_end();
}
