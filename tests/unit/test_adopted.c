/* Batches come in order, consumer by consumer; what is forgotten is gone. */
#include "check.h"
#include "consume/adopted.h"

static struct adopted o;
static struct id ids[ADOPTED_MAX + 1];

static void
add(size_t i, uint64_t first, size_t n)
{
	uint64_t *seqs = adopted_add(&o, &ids[i], n, 1000);

	check(seqs != NULL, "consumer %zu", i);
	for (size_t k = 0; seqs != NULL && k < n; k++)
		seqs[k] = first + k;
}

static void
expect(size_t i, uint64_t seq)
{
	const struct id *consumer;
	uint64_t next = 0;

	check(adopted_next(&o, &consumer, &next), "%zu %ju", i, (uintmax_t)seq);
	check(next == seq && id_equal(consumer, &ids[i]), "%zu %ju, not %ju", i,
	    (uintmax_t)seq, (uintmax_t)next);
	adopted_advance(&o);
}

static void
expect_none(void)
{
	const struct id *consumer;
	uint64_t seq;

	check(!adopted_next(&o, &consumer, &seq), "nothing is unread");
	adopted_advance(&o);
}

/* A hold lasts as long as no owner key can have run out in between. */
static void
expect_holds(void)
{
	add(0, 1, 1);
	check(adopted_renew(&o, &ids[0], 1250, 1260), "at once");
	check(adopted_renew(&o, &ids[0], 1500, 2249), "a slow answer");
	check(adopted_renew(&o, &ids[0], 2400, 2499), "a life less 1 ms");
	check(!adopted_renew(&o, &ids[0], 3300, 3400), "a life");
	check(!adopted_renew(&o, &ids[1], 3300, 3400), "not adopted");
	add(0, 1, 2);
	check(adopted_renew(&o, &ids[0], 1250, 1260), "adopted again");
	adopted_clear(&o);
}

int
main(void)
{
	for (size_t i = 0; i <= ADOPTED_MAX; i++)
		id_make(&ids[i]);
	expect_none();
	expect_holds();
	add(0, 5, 2);
	add(1, 1, 1);
	expect(0, 5);
	expect(0, 6);
	expect(1, 1);
	expect_none();
	check(o.n == 2, "read is not forgotten: %zu", o.n);

	add(0, 6, 2); /* adopted again, with more */
	check(o.n == 2, "known: %zu", o.n);
	expect(0, 6);
	adopted_forget(&o, &ids[0]);
	adopted_forget(&o, &ids[0]);
	expect_none();
	check(o.n == 1 && id_equal(&o.list[0].consumer, &ids[1]), "the other");

	adopted_clear(&o);
	for (size_t i = 0; i < ADOPTED_MAX; i++)
		add(i, i + 1, 1);
	check(adopted_add(&o, &ids[ADOPTED_MAX], 1, 1000) == NULL, "full");
	add(3, 9, 1);
	adopted_forget(&o, &ids[0]);
	expect(1, 2);
	adopted_clear(&o);
	expect_none();
	return check_end();
}
