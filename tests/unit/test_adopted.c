/* Batches come in order, consumer by consumer; what is forgotten is gone. */
#include "check.h"
#include "consume/adopted.h"

static struct orphans o;
static struct id ids[ORPHANS_MAX + 1];

static void
add(size_t i, uint64_t first, size_t n)
{
	uint64_t *seqs = orphans_add(&o, &ids[i], n);

	check(seqs != NULL, "consumer %zu", i);
	for (size_t k = 0; seqs != NULL && k < n; k++)
		seqs[k] = first + k;
}

static void
expect(size_t i, uint64_t seq)
{
	const struct id *consumer;
	uint64_t next = 0;

	check(orphans_next(&o, &consumer, &next), "%zu %ju", i, (uintmax_t)seq);
	check(next == seq && id_equal(consumer, &ids[i]), "%zu %ju, not %ju", i,
	    (uintmax_t)seq, (uintmax_t)next);
	orphans_advance(&o);
}

static void
expect_none(void)
{
	const struct id *consumer;
	uint64_t seq;

	check(!orphans_next(&o, &consumer, &seq), "nothing is unread");
	orphans_advance(&o);
}

int
main(void)
{
	for (size_t i = 0; i <= ORPHANS_MAX; i++)
		id_make(&ids[i]);
	expect_none();
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
	orphans_forget(&o, &ids[0]);
	orphans_forget(&o, &ids[0]);
	expect_none();
	check(o.n == 1 && id_equal(&o.list[0].consumer, &ids[1]), "the other");

	orphans_clear(&o);
	for (size_t i = 0; i < ORPHANS_MAX; i++)
		add(i, i + 1, 1);
	check(orphans_add(&o, &ids[ORPHANS_MAX], 1) == NULL, "full");
	add(3, 9, 1);
	orphans_forget(&o, &ids[0]);
	expect(1, 2);
	orphans_clear(&o);
	expect_none();
	return check_end();
}
