/*
 * Ranges of adopted batches: which batch goes where, what is due when, and
 * what a row means.
 */
#include "base/io.h"
#include "check.h"
#include "flush/adopted_ranges.h"
#include "flush/schedule.h"

enum { T = 1000000 };

static const struct id A = {{0xa}}, B = {{0xb}}, SELF = {{0xf}};
static struct window windows[ADOPTED_RANGES_MAX];
static struct adopted_ranges a;
static struct adopted_range *const r = a.list;

static void
start(void)
{
	struct hash_seed seed;

	hash_seed_make(&seed);
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		window_free(&windows[i]);
		windows[i] = (struct window){0};
		keysums_open(&windows[i].keysums, &seed);
	}
	adopted_ranges_open(&a, windows);
}

static bool
takes(const struct id *consumer, uint64_t seq)
{
	return adopted_ranges_take(&a,
	    &(struct control_checkpoint){.consumer = *consumer, .seq = seq},
	    &(struct batch){0});
}

/* A batch of one line, whose key and value are its number. */
static void
add(const struct id *consumer, uint64_t seq, int64_t now_ms)
{
	struct batch b = {0};
	struct increment inc = {{{(uint8_t)seq}}, (int64_t)seq};

	check(takes(consumer, seq), "batch %d", (int)seq);
	check(batch_add(&b, &inc, now_ms) == 0, "memory");
	check(
	    adopted_ranges_add(&a,
		&(struct control_checkpoint){.consumer = *consumer, .seq = seq},
		&SELF, &b, 100, now_ms) == 0,
	    "memory");
	batch_free(&b);
}

static enum window_verdict
row(struct adopted_range *of, uint64_t row)
{
	enum window_verdict verdict;

	check(adopted_ranges_judge(&a, of, row, &verdict) == 0, "memory");
	return verdict;
}

/* A batch whose lines may have keys of their own waits for the next
 * statement. */
static void
most_keys(void)
{
	struct control_checkpoint point = {.consumer = B, .seq = 1};
	struct batch b = {0};

	start();
	a.keys_most = 3;
	for (int i = 0; i < 5; i++)
		check(batch_add(
			  &b, &(struct increment){{{(uint8_t)i}}, 1}, T) == 0,
		    "memory");
	check(
	    adopted_ranges_take(&a, &point, &b), "the first, whatever it has");
	add(&A, 3, T);
	check(!adopted_ranges_take(&a, &point, &b) && a.hurry, "six keys");
	b.increments.len = 2 * sizeof(struct increment);
	check(adopted_ranges_take(&a, &point, &b), "three");
	a.keys_most = SIZE_MAX;
	b.increments.len = 5 * sizeof(struct increment);
	check(adopted_ranges_take(&a, &point, &b), "the cost is known");
	batch_free(&b);
}

static void
filling(void)
{
	start();
	check(adopted_ranges_next(&a, T) == IO_FOREVER, "nothing");
	add(&A, 3, T);
	add(&A, 4, T + 10);
	check(a.n == 1 && a.size == 2 && r->window->last == 4, "one range");
	check(adopted_ranges_next(&a, T) <= T, "its row is read at once");
	add(&B, 1, T + 20);
	check(a.n == 2 && a.size == 3 && r[1].window->first == 1, "another's");
	check(!takes(&A, 6) && a.hurry, "a gap waits, and hurries");
	a.hurry = false;
	check(!takes(&A, 4), "so does one that came before");
	a.hurry = false;

	check(row(&r[0], 2) == WINDOW_AGAIN && r[0].state == ADOPTED_KNOWN,
	    "nothing is there");
	check(adopted_ranges_due(&a, r, T + 20) == T + SCHEDULE_LINGER_MS,
	    "it waits for others");
	add(&A, 5, T + 30);
	check(row(&r[1], 0) == WINDOW_AGAIN, "no row");
	check(adopted_ranges_next(&a, T + 30) == T + SCHEDULE_LINGER_MS,
	    "both go together");
	a.hurry = true;
	check(adopted_ranges_next(&a, T + 30) == 0, "at the end of input");
	a.hurry = false;
	a.keys_max = 4;
	check(adopted_ranges_next(&a, T + 30) == 0 && !takes(&B, 2), "full");
}

/* A range that was sent takes nothing more, and goes before its next. */
static void
sending(void)
{
	start();
	add(&A, 1, T);
	row(r, 0);
	adopted_ranges_send(r, T + 400);
	check(r->state == ADOPTED_SENT && r->frozen, "sent");
	check(adopted_ranges_next(&a, T + 500) == IO_FOREVER, "under way");
	check(!takes(&A, 1) && !takes(&A, 3), "not this one, not a gap");
	add(&A, 2, T + 500);
	check(a.n == 2 && r[1].window->first == 2, "what follows, behind it");
	check(adopted_ranges_next(&a, T + 2000) == IO_FOREVER,
	    "its row is not read while the first may move");
	adopted_ranges_lose(&a);
	check(r->state == ADOPTED_KNOWN && r->frozen &&
		  adopted_ranges_due(&a, r, T + 501) == 0,
	    "lost: sent again, unchanged and at once");
	r->again_ms = T + 900;
	check(adopted_ranges_next(&a, T + 501) == T + 900, "or when it may");
	r->state = ADOPTED_DONE;
	check(adopted_ranges_done(&a) == r, "done");
	adopted_ranges_free(&a, r);
	check(a.n == 1 && a.size == 1 && adopted_ranges_done(&a) == NULL,
	    "given back");
	check(adopted_ranges_next(&a, T + 502) <= T + 502, "the next one");
}

static void
rows(void)
{
	start();
	for (uint64_t seq = 3; seq <= 6; seq++)
		add(&A, seq, T);
	check(row(r, 1) == WINDOW_LOST && r->state == ADOPTED_OPEN, "lower");
	check(row(r, 4) == WINDOW_PARTLY && r->state == ADOPTED_KNOWN &&
		  r->window->from == 3 && r->window->first == 5 &&
		  r->window->lines == 2 && a.size == 2,
	    "what is there is dropped from the sums");
	adopted_ranges_send(r, T);
	r->state = ADOPTED_OPEN; /* it did not move */
	check(row(r, 9) == WINDOW_THERE && r->state == ADOPTED_DONE &&
		  r->replayed,
	    "all of it");
}

/* A row that went back: what is below is found out first. */
static void
went_back(void)
{
	start();
	add(&A, 3, T);
	row(r, 2);
	adopted_ranges_send(r, T);
	add(&A, 4, T);
	adopted_ranges_lose(&a);
	check(adopted_ranges_lost(&a) == NULL, "no row is lower");
	adopted_ranges_forget(&a);
	check(r->state == ADOPTED_OPEN && r->frozen &&
		  adopted_ranges_next(&a, T) <= T,
	    "on another connection rows are read again");
	check(row(r, 1) == WINDOW_LOST, "lower");
	adopted_ranges_wait(r, 1);
	check(adopted_ranges_lost(&a) == r &&
		  adopted_ranges_next(&a, T) == IO_FOREVER,
	    "it waits, and so do those that follow");
	adopted_ranges_lose(&a);
	adopted_ranges_forget(&a);
	check(r->state == ADOPTED_LOST, "whatever becomes of the connection");
	adopted_ranges_pass(r);
	check(r->state == ADOPTED_KNOWN && r->window->base == 1 &&
		  r->window->from == 3 && r->window->first == 3 &&
		  adopted_ranges_due(&a, r, T) == 0,
	    "nothing is left below");
	adopted_ranges_send(r, T);
	r->state = ADOPTED_OPEN; /* it did not move */
	check(row(r, 2) == WINDOW_LOST, "the row moves from where it was");
	check(row(r, 1) == WINDOW_AGAIN, "and from nowhere else");
	adopted_ranges_free(&a, r);
	check(a.n == 1 && adopted_ranges_next(&a, T) <= T, "dropped");
}

static void
places(void)
{
	start();
	for (uint8_t i = 0; i < ADOPTED_RANGES_MAX; i++)
		add(&(struct id){{i}}, 1, T);
	check(!takes(&(struct id){{99}}, 1) && a.hurry, "no place");
	check(takes(&(struct id){{7}}, 2), "but for who has one");
}

int
main(void)
{
	filling();
	most_keys();
	sending();
	rows();
	went_back();
	places();
	start();
	return check_end();
}
