/*
 * Acknowledgements: ranges in order, cut into parts that one call can carry,
 * each bad line with its batch and only once.
 */
#include "check.h"
#include "flush/ack_queue.h"

static const struct id A = {{0xa}}, B = {{0xb}}, C = {{0xc}};

/* A window of batches first to last, bad bad lines in each. */
static struct window
window_of(const struct id *consumer, uint64_t first, uint64_t last, size_t bad)
{
	struct window w = {.consumer = *consumer,
	    .self = C,
	    .from = first,
	    .first = first,
	    .last = last,
	    .opened_ms = 7};

	for (uint64_t seq = first; seq <= last; seq++)
		for (size_t i = 0; i < bad; i++)
			check(
			    buf_add(&w.rejects, &(struct queue_reject){seq, i},
				sizeof(struct queue_reject)) == 0,
			    "memory");
	return w;
}

/* Takes parts until q is empty; each must be of consumer and go on with
 * *seq, with bad bad lines per batch.  The number of parts. */
static size_t
drain(struct ack_queue *q, const struct id *consumer, uint64_t seq, size_t bad,
    size_t n_batches)
{
	size_t parts = 0, left = n_batches;

	while (q->n > 0 && left > 0) {
		struct ack_queue_part part;

		ack_queue_part(q, &part);
		check(id_equal(part.consumer, consumer), "consumer");
		check(part.n > 0 && part.n <= ACK_QUEUE_SEQS && part.n <= left,
		    "%zu batches", part.n);
		check(part.n_rejects == part.n * bad, "%zu bad lines",
		    part.n_rejects);
		check(part.n == 1 || part.n_rejects <= ACK_QUEUE_REJECTS,
		    "%zu bad lines", part.n_rejects);
		for (size_t i = 0; i < part.n; i++)
			check(part.seqs[i] == seq + i, "batch %ju",
			    (uintmax_t)part.seqs[i]);
		for (size_t i = 0; i < part.n_rejects; i++)
			check(part.rejects[i].seq == seq + i / bad &&
				  part.rejects[i].index == i % bad,
			    "bad line %zu", i);
		if (part.n == 0 || part.n > left)
			break;
		ack_queue_done(q, &part);
		seq += part.n;
		left -= part.n;
		parts++;
	}
	check(left == 0, "%zu batches are missing", left);
	return parts;
}

/* How a range is cut. */
static void
parts(void)
{
	static const struct {
		size_t batches, bad, parts;
	} cases[] = {
	    {1, 0, 1}, {1, 3, 1}, {ACK_QUEUE_SEQS, 2, 1},
	    {ACK_QUEUE_SEQS + 1, 2, 2}, {3 * ACK_QUEUE_SEQS, 0, 3},
	    {2, ACK_QUEUE_REJECTS / 2, 1}, {2, ACK_QUEUE_REJECTS / 2 + 1, 2},
	    {3, ACK_QUEUE_REJECTS * 2, 3}, /* one batch is never cut */
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		struct ack_queue q = {0};
		struct window w =
		    window_of(&A, 5, 4 + cases[i].batches, cases[i].bad);
		size_t n;

		ack_queue_add(&q, &w, 0);
		check(w.rejects.len == 0 && w.rejects.cap == 0,
		    "case %zu: the rejects are taken", i);
		n = drain(&q, &A, 5, cases[i].bad, cases[i].batches);
		check(n == cases[i].parts, "case %zu: %zu parts", i, n);
		check(q.n == 0, "case %zu: empty", i);
	}
}

/* What of a consumer is above a row goes, and no range without batches stays.
 */
static void
dropped(void)
{
	struct ack_queue q = {0};
	struct window w[] = {window_of(&A, 1, 2, 1), window_of(&A, 3, 6, 8),
	    window_of(&B, 1, 1, 0), window_of(&A, 7, 9, 3)};

	for (size_t i = 0; i < check_n(w); i++)
		ack_queue_add(&q, &w[i], 0);
	ack_queue_drop(&q, &B, 1);
	check(q.n == 4, "nothing is above the row");
	ack_queue_drop(&q, &A, 4);
	check(q.n == 3, "all of a range");
	check(ack_queue_at(&q, 0)->last == 2, "what is below stays");
	check(ack_queue_at(&q, 1)->last == 4, "a part");
	check(id_equal(&ack_queue_at(&q, 2)->consumer, &B), "another's");
	drain(&q, &A, 1, 1, 2);
	drain(&q, &A, 3, 8, 2);
	ack_queue_add(
	    &q, &(struct window){.consumer = A, .from = 5, .last = 6}, 0);
	ack_queue_drop(&q, &B, 0);
	check(q.n == 1 && ack_queue_at(&q, 0)->next == 5, "the oldest range");
	ack_queue_drop(&q, &A, 0);
	check(q.n == 0, "nothing is left");
}

/* Batches before first were in the table, but not acknowledged. */
static void
trimmed(void)
{
	struct ack_queue q = {0};
	struct window w = window_of(&A, 3, 6, 0);

	w.first = 5;
	ack_queue_add(&q, &w, 0);
	drain(&q, &A, 3, 0, 4);
	check(q.n == 0, "all of it");
}

static void
order(void)
{
	struct ack_queue q = {0};
	struct window w = window_of(&A, 1, 2, 1);
	struct batch b = {0};

	check(batch_add_bad(&b, 9) == 0 && batch_add_bad(&b, 9) == 0, "memory");
	ack_queue_add(&q, &w, 0);
	check(ack_queue_add_batch(&q, &B, &C, 8, &b, 0) == 0, "memory");
	w = window_of(&A, 3, 3, 0);
	ack_queue_add(&q, &w, 0);
	check(q.n == 3 && id_equal(&ack_queue_at(&q, 0)->consumer, &A) &&
		  id_equal(&ack_queue_at(&q, 1)->consumer, &B) &&
		  ack_queue_at(&q, 2)->last == 3,
	    "three ranges, the oldest first");
	check(id_equal(&ack_queue_at(&q, 1)->self, &C) &&
		  ack_queue_at(&q, 1)->opened_ms == 9 &&
		  ack_queue_at(&q, 0)->opened_ms == 7,
	    "the owner, and since when");
	drain(&q, &A, 1, 1, 2);
	drain(&q, &B, 8, 2, 1);
	drain(&q, &A, 3, 0, 1);
	check(q.n == 0, "empty");
	batch_free(&b);
}

/* More than the ring is long, one after the other, never more than full. */
static void
around(void)
{
	struct ack_queue q = {0};
	uint64_t in = 1, out = 1;

	while (out < 5 * ACK_QUEUE_MAX) {
		while (q.n < ACK_QUEUE_MAX) {
			struct window w = window_of(&A, in, in, 1);

			ack_queue_add(&q, &w, 0);
			in++;
		}
		check(ack_queue_at(&q, ACK_QUEUE_MAX - 1)->last == in - 1,
		    "the youngest");
		drain(&q, &A, out, 1, 1);
		drain(&q, &A, out + 1, 1, 1);
		out += 2;
	}
	check(q.n == ACK_QUEUE_MAX - 2, "%zu", q.n);
	ack_queue_free(&q);
	check(q.n == 0, "free");
}

int
main(void)
{
	parts();
	dropped();
	trimmed();
	order();
	around();
	return check_end();
}
