/*
 * What may be concluded from two looks at the queue and two at the ledger.
 */
#include "check.h"
#include "inspect/snapshot.h"

enum { A = 1, B, C, D, MAX = 8 };

/* Consumers and their numbers, until a consumer 0. */
struct said {
	struct {
		uint8_t consumer;
		uint64_t seq;
	} list[MAX];
};

static struct snapshot_row room[4][MAX];
static struct snapshot_batch batches[MAX];

static struct snapshot_rows
rows(size_t i, struct said said)
{
	struct snapshot_rows r = {.list = room[i]};

	for (; said.list[r.n].consumer != 0; r.n++)
		room[i][r.n] = (struct snapshot_row){
		    .consumer = {{said.list[r.n].consumer}},
		    .seq = said.list[r.n].seq};
	snapshot_sort(&r);
	return r;
}

#define SAID(...) ((struct said){{__VA_ARGS__}})

static void
check_rest(void)
{
	struct snapshot before = {.ready = 3, .rejected = 1}, after = before;
	struct said was = SAID({B, 7}, {A, 2});

	before.last = rows(0, was);
	after.last = rows(1, was);
	check(snapshot_is_stable(&before, &after), "the same");
	after.ready = 4;
	after.rejected = 2;
	check(snapshot_is_stable(&before, &after), "pushed meanwhile");
	after.last = rows(1, SAID({A, 2}, {C, 0}, {B, 7}));
	check(snapshot_is_stable(&before, &after), "a new consumer");
	after.last = rows(1, SAID({A, 2}, {C, 1}, {B, 7}));
	check(!snapshot_is_stable(&before, &after), "that took");
	after.last = rows(1, SAID({A, 3}, {B, 7}));
	check(!snapshot_is_stable(&before, &after), "one took");
	after.last = rows(1, SAID({A, 2}));
	check(!snapshot_is_stable(&before, &after), "one was swept");
	after.last = rows(1, was);
	after.ready = 2;
	check(!snapshot_is_stable(&before, &after), "ready is shorter");
	after.ready = 3;
	after.rejected = 0;
	check(!snapshot_is_stable(&before, &after), "rejected is shorter");
}

/* A and B are registered, stand at 5 and 2; D has left long ago. */
static bool
precede(struct said earlier, struct said ledger)
{
	struct snapshot h = {.last = rows(0, SAID({A, 5}, {B, 2}))};
	struct snapshot_rows e = rows(1, earlier), l = rows(2, ledger);

	return snapshot_fits_ledger(&h, &e, &l);
}

static void
check_precede(void)
{
	struct said earlier = SAID({A, 3}, {D, 9});

	check(precede(earlier, SAID({A, 3}, {D, 9})), "nothing moved");
	check(precede(earlier, SAID({A, 5}, {B, 1}, {D, 9})),
	    "what was taken before was counted");
	check(!precede(earlier, SAID({A, 6}, {D, 9})),
	    "what was taken later was counted");
	check(!precede(earlier, SAID({A, 3}, {C, 1}, {D, 9})),
	    "of a consumer that came later, or has gone since");
	check(!precede(earlier, SAID({A, 3}, {D, 10})),
	    "of one that is not registered any more");
	check(precede(earlier, SAID({A, 3})), "rows may be deleted");
	check(precede(SAID({A, 7}), SAID({A, 7})), "Redis went back before");
	check(!precede(SAID({A, 7}), SAID({A, 8})), "and moved since");
}

static void
check_missing(void)
{
	struct snapshot h = {.last = rows(0, SAID({A, 5}, {B, 2}, {C, 0})),
	    .batches = batches,
	    .n_batches = 3};
	struct snapshot_rows ledger = rows(1, SAID({A, 3}, {D, 9}));

	batches[0] = (struct snapshot_batch){.consumer = {{A}}, .seq = 3};
	batches[1] = (struct snapshot_batch){.consumer = {{A}}, .seq = 5};
	batches[2] = (struct snapshot_batch){.consumer = {{B}}, .seq = 2};
	check(snapshot_missing(&h, &ledger) == 2, "A 4 and B 1");
	ledger = rows(1, SAID({A, 5}, {B, 1}));
	check(snapshot_missing(&h, &ledger) == 0, "none");
	ledger = rows(1, SAID({A, 6}, {B, 2}));
	check(snapshot_missing(&h, &ledger) == 0, "all counted");
	check(snapshot_unknown(&h, &ledger) == 1, "Redis knows A to 5");
	ledger = rows(1, SAID({A, 5}, {B, 2}, {D, 9}));
	check(snapshot_unknown(&h, &ledger) == 0, "who has left is unknown");
}

int
main(void)
{
	check_rest();
	check_precede();
	check_missing();
	return check_end();
}
