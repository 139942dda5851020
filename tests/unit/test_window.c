/*
 * Windows: what they add up, what a ledger row means for them, what is left
 * of them when a part was counted before, the day rule, and the numbering of
 * plain ones.
 */
#include "check.h"
#include "flush/window.h"
#include "queue/queue.h"

enum { T = 1000000 /* a clock_ms() */ };

static const struct id A = {{0xa}}, B = {{0xb}};
static struct window w;

/* A batch of n lines of value v, each of a key of its own from key on, and
 * then bad bad ones. */
static void
fill(struct batch *b, uint8_t key, size_t n, int64_t v, size_t bad)
{
	batch_clear(b);
	for (size_t i = 0; i < n; i++) {
		struct increment inc = {{{(uint8_t)(key + i)}}, v};

		check(batch_add(b, &inc, T + (int64_t)i) == 0, "memory");
	}
	for (size_t i = 0; i < bad; i++)
		check(batch_add_bad(b, T) == 0, "memory");
}

/* Adds batch seq of n lines of value v with these keys, and bad bad ones. */
static void
add(uint64_t seq, uint8_t key, size_t n, int64_t v, size_t bad)
{
	struct batch b = {0};

	fill(&b, key, n, v, bad);
	check(window_add_batch(&w, &b, seq, 10, T) == 0, "memory");
	batch_free(&b);
}

static u128
sum(void)
{
	u128 total = 0;

	for (size_t i = 0; i < w.keysums.n; i++)
		total += w.keysums.items[i].sum;
	return total;
}

static void
batches(void)
{
	struct batch b = {0};
	const uint64_t *bad;

	check(batch_add_bad(&b, 7) == 0 && b.opened_ms == 7, "first bad");
	fill(&b, 1, 2, 1, 0);
	check(b.lines == 2 && b.opened_ms == T, "%ju", (uintmax_t)b.lines);
	check(batch_add_bad(&b, 0) == 0, "memory");
	check(batch_add(&b, &(struct increment){A, 1}, 0) == 0, "memory");
	check(batch_add_bad(&b, 0) == 0, "memory");
	bad = (const void *)buf_ptr(&b.bad);
	check(b.lines == 5 && b.bad.len == 2 * sizeof *bad && bad[0] == 2 &&
		  bad[1] == 4,
	    "indexes count good ones, too");
	check(b.increments.len == 3 * sizeof(struct increment), "good");
	batch_clear(&b);
	check(b.lines == 0 && b.increments.len == 0 && b.bad.len == 0, "clear");
	batch_free(&b);
}

static void
adding(void)
{
	const struct queue_reject *rejects;

	window_open(&w, &A, &B, false, T);
	check(w.open && !w.plain && w.first == 0, "open");
	add(4, 1, 2, 3, 1);
	add(5, 2, 2, 4, 0);
	add(6, 9, 0, 0, 2);
	check(w.from == 4 && w.first == 4 && w.last == 6, "range");
	check(w.keysums.n == 3 && w.lines == 4 && sum() == 14, "sums");
	check(
	    window_size(&w) == 3 + 3, "bad lines count: %zu", window_size(&w));
	check(w.oldest_ms == T - 10, "the oldest");
	rejects = (const void *)buf_ptr(&w.rejects);
	check(w.rejects.len == 3 * sizeof *rejects && rejects[0].seq == 4 &&
		  rejects[0].index == 2 && rejects[1].seq == 6 &&
		  rejects[1].index == 0 && rejects[2].index == 1,
	    "rejects");
	check(w.log.len == 0, "only adopted ones are kept one by one");
	window_clear(&w);
	check(!w.open && window_size(&w) == 0, "clear");

	window_open_plain(&w, T);
	check(w.open && w.plain && !w.adopted, "plain");
	check(window_add(&w, &(struct increment){A, 2}, 1) == 0 &&
		  window_add(&w, &(struct increment){A, 5}, 1) == 0,
	    "memory");
	check(sum() == 7 && w.lines == 2 && window_size(&w) == 1, "sums");
	window_clear(&w);
}

static void
judging(void)
{
	static const struct {
		uint64_t first, last, row;
		enum window_verdict verdict;
	} cases[] = {
	    {1, 1, 0, WINDOW_AGAIN},
	    {1, 1, 1, WINDOW_THERE},
	    {1, 3, 2, WINDOW_PARTLY},
	    {5, 9, 4, WINDOW_AGAIN},
	    {5, 9, 5, WINDOW_PARTLY},
	    {5, 9, 8, WINDOW_PARTLY},
	    {5, 9, 9, WINDOW_THERE},
	    {5, 9, 10, WINDOW_THERE},
	    {5, 9, INT64_MAX, WINDOW_THERE},
	    {5, 9, 3, WINDOW_LOST},
	    {5, 9, 0, WINDOW_LOST},
	    {2, 2, 0, WINDOW_LOST},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		struct window j = {.base = cases[i].first - 1,
		    .first = cases[i].first,
		    .last = cases[i].last};

		check(window_judge(&j, cases[i].row) == cases[i].verdict,
		    "case %zu: %d", i, (int)window_judge(&j, cases[i].row));
	}
}

/* Batches 3 to 6 with 1, 2, 0 and 4 lines of powers of ten. */
static void
fill_adopted(void)
{
	window_open(&w, &A, &B, true, T);
	add(3, 1, 1, 1, 1);
	add(4, 1, 2, 10, 0);
	add(5, 1, 0, 100, 1);
	add(6, 1, 4, 1000, 0);
	check(sum() == 4021 && w.lines == 7, "all");
	check(window_lines(&w) == 9, "with bad ones");
	keysums_sort(&w.keysums); /* as it is when the ledger has been asked */
}

static void
trimming(void)
{
	static const struct {
		uint64_t row;
		uint64_t lines, ledger; /* the latter with bad ones */
		size_t keys;
		u128 sum;
	} cases[] = {
	    {3, 6, 7, 4, 4020}, {4, 4, 5, 4, 4000}, {5, 4, 4, 4, 4000}};

	for (size_t i = 0; i < check_n(cases); i++) {
		fill_adopted();
		check(window_trim(&w, cases[i].row) == 0, "memory");
		check(w.from == 3 && w.first == cases[i].row + 1 && w.last == 6,
		    "range of %zu", i);
		check(w.lines == cases[i].lines &&
			  w.keysums.n == cases[i].keys && sum() == cases[i].sum,
		    "sums of %zu", i);
		check(window_lines(&w) == cases[i].ledger, "lines of %zu", i);
		check(w.rejects.len == 2 * sizeof(struct queue_reject),
		    "all bad lines are still to be rejected");
		window_clear(&w);
	}
	fill_adopted(); /* another commits one batch after the other */
	check(window_trim(&w, 3) == 0 && window_trim(&w, 4) == 0, "memory");
	check(sum() == 4000 && w.first == 5, "twice");
	window_clear(&w);

	window_open(&w, &A, &B, true, T);
	add(1, 1, 3, 1, 0);
	add(2, 1, 0, 1, 2);
	check(window_trim(&w, 1) == 0 && sum() == 0 && w.keysums.n == 0,
	    "only bad lines are left");
	window_clear(&w);
}

/* A ledger row of a first commit by others may have gone after a day. */
static void
the_day(void)
{
	enum { DAY = WINDOW_DAY_MS };

	window_open(&w, &A, &A, false, T);
	add(1, 1, 1, 1, 0);
	check(!window_too_old(&w, T + DAY), "a day");
	check(window_too_old(&w, T + DAY + 1), "more than a day");
	window_clear(&w);
	window_open(&w, &A, &A, false, T);
	add(2, 1, 1, 1, 0);
	check(!window_too_old(&w, T + 99 * (int64_t)DAY), "it can't insert");
	window_clear(&w);
	window_open(&w, &A, &B, true, T);
	add(1, 1, 1, 1, 0);
	add(2, 1, 1, 1, 0);
	check(window_too_old(&w, T + DAY + 1), "adopted");
	check(window_trim(&w, 1) == 0, "memory");
	check(!window_too_old(&w, T + DAY + 1), "trimmed: it can't insert");
	window_clear(&w);

	/* A plain one is known to nobody before it is sent. */
	window_open_plain(&w, T);
	w.from = w.first = w.last = 1;
	check(!window_too_old(&w, T + 9 * (int64_t)DAY), "not sent");
	w.lines = 1;
	check(window_lines(&w) == 0, "it never was in a queue");
	w.sent_ms = T + DAY;
	check(!window_too_old(&w, T + 2 * (int64_t)DAY), "sent a day ago");
	check(window_too_old(&w, T + 2 * (int64_t)DAY + 1), "more");
	window_clear(&w);
}

static void
memory(void)
{
	struct batch b = {0};

	window_open(&w, &A, &B, true, T);
	for (int i = 0; i < 20000; i++)
		check(batch_add(&b, &(struct increment){A, 1}, T) == 0, "add");
	check(window_add_batch(&w, &b, 1, 0, T) == 0, "memory");
	check(w.log.cap >= b.increments.len, "log");
	window_clear(&w);
	check(w.log.cap == 0, "a large log is given back");
	batch_clear(&b);
	check(b.increments.cap == 0, "and a large batch");
	fill(&b, 1, 3, 1, 0);
	batch_clear(&b);
	check(b.increments.cap > 0, "a small one is kept");
	batch_free(&b);
}

/* Each plain window is one batch; after a day without them, another id. */
static void
numbering(void)
{
	struct window_numbering n;
	struct id first;

	window_numbering_init(&n);
	first = n.consumer;
	for (uint64_t seq = 1; seq < 4; seq++) {
		window_open_plain(&w, T);
		window_number(&w, &n, T + WINDOW_DAY_MS + (int64_t)seq);
		check(w.from == seq && w.first == seq && w.last == seq,
		    "batch %ju", (uintmax_t)seq);
		check(
		    id_equal(&w.consumer, &first) && id_equal(&w.self, &first),
		    "its consumer");
		window_clear(&w);
	}
	n.committed_ms = T;
	window_number(&w, &n, T + WINDOW_DAY_MS);
	check(w.first == 4 && id_equal(&w.consumer, &first), "a day");
	window_number(&w, &n, T + WINDOW_DAY_MS + 1);
	check(w.first == 1 && !id_equal(&w.consumer, &first), "more");
}

/* Keys that w has need no room. */
static void
room(void)
{
	struct batch b = {0};

	for (uint8_t i = 0; i < 4; i++)
		check(batch_add(&b, &(struct increment){{{i}}, 1}, T) == 0,
		    "memory");
	window_open(&w, &A, &B, false, T);
	check(window_fits(&w, &b, 1), "an empty one takes any batch");
	check(window_add_batch(&w, &b, 1, 0, T) == 0, "memory");
	check(window_fits(&w, &b, 4), "no key is new");
	check(window_fits(&w, &(struct batch){0}, 4), "no line");
	check(batch_add(&b, &(struct increment){{{9}}, 1}, T) == 0, "memory");
	check(!window_fits(&w, &b, 4), "one is");
	check(window_fits(&w, &b, 5), "and has room");
	check(!window_fits(&w, &b, 3), "there are too many");
	check(window_fits(&w, &b, SIZE_MAX), "any number");
	batch_free(&b);
	window_clear(&w);
}

int
main(void)
{
	struct hash_seed seed;

	hash_seed_make(&seed);
	keysums_open(&w.keysums, &seed);
	batches();
	adding();
	room();
	judging();
	trimming();
	the_day();
	memory();
	numbering();
	window_free(&w);
	return check_end();
}
