/* Adds batches up by key and keeps their bad lines, one window at a time. */
#include "flush/window.h"

#include "queue/queue.h"

enum {
	KEPT_BYTES = 1 << 18,
	NUMBERING_MS = 86400000 /* a ledger row must not grow old in use */
};

static void open_window(struct window *w, int64_t now_ms);
static void empty(struct buf *b);

int
batch_add(struct batch *b, const struct increment *inc, int64_t now_ms)
{
	if (buf_add(&b->increments, inc, sizeof *inc) < 0)
		return -1;
	if (b->lines++ == 0)
		b->opened_ms = now_ms;
	return 0;
}

int
batch_add_bad(struct batch *b, int64_t now_ms)
{
	if (buf_add(&b->bad, &b->lines, sizeof b->lines) < 0)
		return -1;
	if (b->lines++ == 0)
		b->opened_ms = now_ms;
	return 0;
}

void
batch_clear(struct batch *b)
{
	empty(&b->increments);
	empty(&b->bad);
	b->lines = 0;
}

void
batch_free(struct batch *b)
{
	buf_free(&b->increments);
	buf_free(&b->bad);
	b->lines = 0;
}

void
window_open(struct window *w, const struct id *consumer, const struct id *self,
    bool adopted, int64_t now_ms)
{
	open_window(w, now_ms);
	w->consumer = *consumer;
	w->self = *self;
	w->adopted = adopted;
	w->plain = false;
}

void
window_open_plain(struct window *w, int64_t now_ms)
{
	open_window(w, now_ms);
	w->adopted = false;
	w->plain = true;
}

static void
open_window(struct window *w, int64_t now_ms)
{
	w->open = true;
	w->of_file = false;
	w->from = w->first = w->last = w->base = 0;
	w->lines = 0;
	w->opened_ms = now_ms;
	w->sent_ms = 0;
	w->oldest_ms = INT64_MAX;
}

int
window_add(struct window *w, const struct increment *inc, size_t n)
{
	if (keysums_add_all(&w->keysums, inc, n) < 0)
		return -1;
	w->lines += n;
	return 0;
}

int
window_add_batch(struct window *w, const struct batch *b, uint64_t seq,
    int64_t age_ms, int64_t now_ms)
{
	size_t n = b->increments.len / sizeof(struct increment), end;
	const uint64_t *bad = (const void *)buf_ptr(&b->bad);

	if (w->first == 0) {
		w->from = w->first = seq;
		w->base = seq - 1;
	}
	w->last = seq;
	if (now_ms - age_ms < w->oldest_ms)
		w->oldest_ms = now_ms - age_ms;
	for (size_t i = 0; i < b->bad.len / sizeof *bad; i++) {
		struct queue_reject reject = {seq, bad[i]};

		if (buf_add(&w->rejects, &reject, sizeof reject) < 0)
			return -1;
	}
	if (w->adopted) {
		end = w->log.len / sizeof(struct increment) + n;
		if (buf_add(&w->log, buf_ptr(&b->increments),
			b->increments.len) < 0 ||
		    buf_add(&w->ends, &end, sizeof end) < 0)
			return -1;
	}
	return window_add(w, (const void *)buf_ptr(&b->increments), n);
}

void
window_numbering_init(struct window_numbering *n)
{
	id_make(&n->consumer);
	n->next = 1;
	n->committed_ms = 0;
}

void
window_number(struct window *w, struct window_numbering *n, int64_t now_ms)
{
	if (n->committed_ms > 0 && now_ms - n->committed_ms > NUMBERING_MS)
		window_numbering_init(n);
	w->consumer = w->self = n->consumer;
	w->base = n->next - 1;
	w->from = w->first = w->last = n->next++;
}

bool
window_fits(const struct window *w, const struct batch *b, size_t most)
{
	const struct increment *inc = (const void *)buf_ptr(&b->increments);
	size_t n = b->increments.len / sizeof *inc, keys = w->keysums.n;

	if (keys == 0 || (keys <= most && n <= most - keys))
		return true;
	/* A key that comes twice is counted twice, unless w has it. */
	for (size_t i = 0; i < n && keys <= most; i++)
		keys += !keysums_has(&w->keysums, &inc[i].key);
	return keys <= most;
}

size_t
window_size(const struct window *w)
{
	return w->keysums.n + w->rejects.len / sizeof(struct queue_reject);
}

uint64_t
window_lines(const struct window *w)
{
	const struct queue_reject *rejects = (const void *)buf_ptr(&w->rejects);
	uint64_t n = w->lines;

	if (w->plain)
		return 0;
	for (size_t i = 0; i < w->rejects.len / sizeof *rejects; i++)
		n += rejects[i].seq >= w->first;
	return n;
}

bool
window_too_old(const struct window *w, int64_t now_ms)
{
	/* Only this process can have committed what never was in Redis. */
	int64_t since_ms = w->plain ? w->sent_ms : w->opened_ms;

	return w->base == 0 && since_ms > 0 &&
	       now_ms - since_ms > WINDOW_DAY_MS;
}

enum window_verdict
window_judge(const struct window *w, uint64_t row)
{
	if (row >= w->last)
		return WINDOW_THERE;
	if (row >= w->first)
		return WINDOW_PARTLY;
	return row == w->base ? WINDOW_AGAIN : WINDOW_LOST;
}

int
window_trim(struct window *w, uint64_t row)
{
	const size_t *ends = (const void *)buf_ptr(&w->ends);
	const struct increment *log = (const void *)buf_ptr(&w->log);
	/* ends[i] belongs to batch from + i. */
	size_t from = ends[row - w->from], to = ends[w->last - w->from];

	w->base = row;
	w->first = row + 1;
	w->lines = 0;
	keysums_clear(&w->keysums);
	return from == to ? 0 : window_add(w, log + from, to - from);
}

void
window_clear(struct window *w)
{
	w->open = false;
	keysums_clear(&w->keysums);
	empty(&w->rejects);
	empty(&w->log);
	empty(&w->ends);
}

static void
empty(struct buf *b)
{
	if (b->cap > KEPT_BYTES)
		buf_free(b);
	else
		buf_clear(b);
}

void
window_free(struct window *w)
{
	w->open = false;
	keysums_free(&w->keysums);
	buf_free(&w->rejects);
	buf_free(&w->log);
	buf_free(&w->ends);
}
