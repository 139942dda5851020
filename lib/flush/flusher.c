#include "flush/flusher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"

enum {
	/* Places kept free in the acknowledger's queue, for the windows and
	 * the pending batch. */
	ACKS_KEPT = 3
};

static void begin_consumer(struct flusher *f);
static void check(struct flusher *f, const struct id *consumer);
static void place(struct flusher *f);
static bool is_known(struct flusher *f);
static bool place_own(struct flusher *f);
static bool place_adopted(struct flusher *f);
static bool continues(const struct flusher *f, bool adopted);
static bool merge(struct flusher *f, bool adopted);
static bool acknowledge(struct flusher *f);
static bool look(struct flusher *f);
static int64_t due_ms(const struct flusher *f);
static bool freeze(struct flusher *f);
static void open_plain(struct flusher *f, int64_t now_ms);
static void handle_committer(struct flusher *f, enum committer_news news);
static void committed(struct flusher *f);
static void row_known(struct flusher *f);
static void handle_acknowledger(struct flusher *f, enum acknowledger_news news);
static void out_of_memory(struct flusher *f);
static void fail(struct flusher *f, int status, const char *object,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

void
flusher_open(struct flusher *f, struct postgres *pg,
    const struct flusher_options *options)
{
	struct hash_seed seed;

	*f = (struct flusher){.options = *options,
	    .input = {.queue = options->queue},
	    .schedule = {.interval_ms = options->interval_ms,
		.max_keys = options->max_keys},
	    .staleness_ms = -1};
	f->filling = &f->windows[0];
	hash_seed_make(&seed);
	keysums_open(&f->windows[0].keysums, &seed);
	keysums_open(&f->windows[1].keysums, &seed);
	window_numbering_init(&f->numbering);
	committer_open(&f->committer, pg, options->queue);
}

void
flusher_close(struct flusher *f)
{
	committer_close(&f->committer);
	if (f->remote)
		acknowledger_close(&f->acknowledger);
	window_free(&f->windows[0]);
	window_free(&f->windows[1]);
	batch_free(&f->input.batch);
}

/* -- lines ---------------------------------------------------------------- */

bool
flusher_takes(const struct flusher *f)
{
	size_t size = window_size(f->filling);

	if (f->ended || f->pending || f->checking || f->status != 0)
		return false;
	/* Both windows together stay below the bound. */
	if (f->committer.window != NULL)
		size += window_size(f->committer.window);
	return size < f->options.max_keys &&
	       f->acknowledger.acks.n < ACK_QUEUE_MAX - ACKS_KEPT;
}

enum flush_input_event
flusher_line(struct flusher *f, const char *line, size_t len, bool too_long)
{
	int64_t now_ms = clock_ms();
	enum flush_input_event event =
	    flush_input_line(&f->input, line, len, too_long, now_ms);

	switch (event) {
	case FLUSH_INPUT_LINE: break;
	case FLUSH_INPUT_ADD:
		open_plain(f, now_ms);
		if (window_add(f->filling, &f->input.inc) < 0)
			out_of_memory(f);
		break;
	case FLUSH_INPUT_BAD:
		if (!f->remote)
			open_plain(f, now_ms);
		break;
	case FLUSH_INPUT_BEGIN: begin_consumer(f); break;
	case FLUSH_INPUT_BATCH:
		f->pending = true;
		place(f);
		break;
	case FLUSH_INPUT_END: f->hurry = f->filling->open; break;
	case FLUSH_INPUT_CONFIG:
		fail(f, EXIT_CONFIG, "stdin", "%s", f->input.why);
		break;
	case FLUSH_INPUT_BUG:
		fail(f, EXIT_BUG, "stdin", "%s", f->input.why);
		break;
	case FLUSH_INPUT_MEMORY: out_of_memory(f); break;
	}
	return event;
}

/* The first one must be registered in the Redis we are told. */
static void
begin_consumer(struct flusher *f)
{
	const char *why;
	struct queue *q;

	f->hurry = f->filling->open;
	if (f->remote)
		return;
	q = queue_open(f->options.redis, f->options.queue, &why);
	if (q == NULL) {
		fail(f, EXIT_CONFIG, "redis", "%s", why);
		return;
	}
	acknowledger_open(
	    &f->acknowledger, q, f->windows, 3 * f->options.interval_ms);
	f->remote = true;
	schedule_promise(&f->schedule);
	check(f, &f->input.consumer);
}

static void
check(struct flusher *f, const struct id *consumer)
{
	f->asked = *consumer;
	f->checking = true;
	acknowledger_ask(&f->acknowledger, consumer);
}

void
flusher_end(struct flusher *f)
{
	f->ended = true;
	if (f->pending)
		return;
	f->checking = false;
	batch_clear(&f->input.batch);
}

/* -- batches -------------------------------------------------------------- */

/* Puts the complete batch where it belongs, as soon as that can be. */
static void
place(struct flusher *f)
{
	if (!f->pending || f->checking || f->status != 0)
		return;
	if (f->stranger && !is_known(f))
		return;
	if (f->input.point.adopted ? !place_adopted(f) : !place_own(f))
		return;
	f->pending = false;
	batch_clear(&f->input.batch);
}

/*
 * The stream's consumer is not registered.  Asked at once, that would be
 * another Redis; by now it may have been taken for dead and swept.  Then the
 * batch's own consumer is registered, or the ledger has the batch.
 */
static bool
is_known(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;
	const struct flusher_known *k = &f->known;
	char consumer[ID_TEXT + 1];

	if (!id_equal(&f->asked, &p->consumer)) {
		if (f->gc.state == LEDGER_GC_WAIT)
			check(f, &p->consumer);
		return false;
	}
	if (!k->valid || !id_equal(&k->consumer, &p->consumer))
		return look(f);
	if (p->seq <= k->row)
		return true;
	id_format(&p->consumer, consumer);
	fail(f, EXIT_CONFIG, "redis",
	    "consumer %s is not registered here; is --redis that of "
	    "incr-consume?",
	    consumer);
	return false;
}

static bool
place_own(struct flusher *f)
{
	if (f->filling->open && !continues(f, false) && !freeze(f))
		return false;
	return merge(f, false);
}

/*
 * What is in the table is acknowledged, what follows it is counted; about
 * anything else the ledger is asked, when nothing is under way any more.
 */
static bool
place_adopted(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;
	struct flusher_known *k = &f->known;

	if (!k->valid || !id_equal(&k->consumer, &p->consumer))
		return look(f);
	if (p->seq <= k->row)
		return acknowledge(f);
	if (p->seq != k->last + 1)
		return look(f);
	if (f->filling->open && !continues(f, true) && !freeze(f))
		return false;
	k->last = p->seq;
	return merge(f, true);
}

/* Is the batch the next one of the window that fills? */
static bool
continues(const struct flusher *f, bool adopted)
{
	const struct window *w = f->filling;

	return w->adopted == adopted &&
	       id_equal(&w->consumer, &f->input.point.consumer) &&
	       w->last + 1 == f->input.point.seq &&
	       w->log.len / sizeof(struct increment) < WINDOW_LOG_MAX;
}

static bool
merge(struct flusher *f, bool adopted)
{
	const struct control_checkpoint *p = &f->input.point;
	struct window *w = f->filling;
	int64_t now_ms = clock_ms();
	int64_t age_ms = flush_input_age_ms(&f->input, now_ms, clock_unix_ms());

	if (!w->open) {
		window_open(w, &p->consumer, &f->input.consumer, adopted,
		    f->input.batch.lines > 0 ? f->input.batch.opened_ms
					     : now_ms);
		schedule_open(&f->schedule, w, arc4random());
	}
	if (window_add_batch(w, &f->input.batch, p->seq, age_ms, now_ms) < 0)
		out_of_memory(f);
	return true;
}

/* The batch was counted before; only its bad lines are still of use. */
static bool
acknowledge(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;

	f->replayed++;
	if (acknowledger_add_batch(&f->acknowledger, &p->consumer,
		&f->input.consumer, p->seq, &f->input.batch) < 0)
		out_of_memory(f);
	return true;
}

static bool
look(struct flusher *f)
{
	if (f->known.looking || (f->filling->open && !freeze(f)) ||
	    !committer_idle(&f->committer))
		return false;
	f->known.valid = false;
	f->known.looking = true;
	committer_look(&f->committer, &f->input.point.consumer);
	return false;
}

static void
row_known(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;
	uint64_t row = f->committer.row;

	f->known = (struct flusher_known){
	    .valid = true, .consumer = p->consumer, .row = row, .last = row};
	if (p->seq > row + 1 && !f->stranger)
		fail(f, EXIT_BUG, "ledger",
		    "stands at batch %" PRIu64 " where %" PRIu64 " is due", row,
		    p->seq - 1);
	place(f);
}

/* -- windows -------------------------------------------------------------- */

static void
open_plain(struct flusher *f, int64_t now_ms)
{
	if (f->filling->open)
		return;
	window_open_plain(f->filling, now_ms);
	schedule_open(&f->schedule, f->filling, arc4random());
}

static int64_t
due_ms(const struct flusher *f)
{
	const struct window *w = f->filling;

	if (!w->open || !committer_idle(&f->committer))
		return IO_FOREVER;
	if (f->hurry || f->ended)
		return 0;
	return schedule_due(&f->schedule, w, &f->committer.cost);
}

/* The window that fills goes to Postgres.  False if another is there. */
static bool
freeze(struct flusher *f)
{
	struct window *w = f->filling;

	if (!committer_idle(&f->committer))
		return false;
	f->hurry = false;
	if (w->plain) {
		if (w->keysums.n == 0) { /* only bad lines */
			window_clear(w);
			return true;
		}
		window_number(w, &f->numbering, clock_ms());
	}
	committer_commit(&f->committer, w);
	f->filling = &f->windows[w == &f->windows[0]];
	return true;
}

/* -- services ------------------------------------------------------------- */

int64_t
flusher_wait(const struct flusher *f, struct pollfd ret_pfds[2])
{
	int64_t next_ms = due_ms(f), at_ms;

	at_ms = committer_wait(&f->committer, &ret_pfds[0]);
	next_ms = num_min(at_ms, next_ms);
	ret_pfds[1] = (struct pollfd){.fd = -1};
	if (!f->remote)
		return next_ms;
	at_ms = acknowledger_wait(&f->acknowledger, &ret_pfds[1]);
	return num_min(at_ms, next_ms);
}

void
flusher_step(struct flusher *f, const struct pollfd pfds[2])
{
	handle_committer(f, committer_step(&f->committer, pfds[0].revents));
	if (f->remote && f->status == 0)
		handle_acknowledger(
		    f, acknowledger_step(&f->acknowledger, pfds[1].revents));
	place(f);
	if (f->status == 0 && due_ms(f) <= clock_ms())
		freeze(f);
	if (f->remote && !f->checking && !f->ended)
		ledger_gc_start(&f->gc, &f->committer, clock_ms());
}

static void
handle_committer(struct flusher *f, enum committer_news news)
{
	const struct committer *l = &f->committer;

	switch (news) {
	case COMMITTER_NOTHING: return;
	case COMMITTER_COMMITTED: committed(f); return;
	case COMMITTER_ROW: row_known(f); return;
	case COMMITTER_FOUND:
		ledger_gc_found(&f->gc, &f->committer, &f->acknowledger);
		return;
	case COMMITTER_FORGOTTEN:
		ledger_gc_forgotten(&f->gc, &f->committer);
		return;
	case COMMITTER_PARTLY:
		fail(f, EXIT_TEMPFAIL, "window",
		    "batches %" PRIu64 " to %" PRIu64
		    " were counted by another, dropping our %" PRIu64
		    " to %" PRIu64,
		    l->window->first, l->row, l->window->first,
		    l->window->last);
		return;
	case COMMITTER_LOST:
		fail(f, EXIT_BUG, "ledger",
		    "stands at batch %" PRIu64 " where %" PRIu64 " is due",
		    l->row, l->window->first - 1);
		return;
	case COMMITTER_TOO_OLD:
		fail(f, EXIT_TEMPFAIL, "window",
		    "older than a day, not committed");
		return;
	case COMMITTER_MEMORY: out_of_memory(f); return;
	case COMMITTER_FAULT:
		fail(f, EXIT_CONFIG, "postgres", "%s", postgres_why(l->pg));
		return;
	}
}

static void
committed(struct flusher *f)
{
	struct window *w = committer_take(&f->committer);

	if (f->committer.replayed)
		f->replayed += w->last - w->first + 1;
	else
		f->flushed += w->lines;
	f->commits++;
	f->took_us = f->committer.took_us;
	f->keys = w->keysums.n;
	f->staleness_ms =
	    w->oldest_ms == INT64_MAX ? -1 : clock_ms() - w->oldest_ms;
	if (w->plain)
		f->numbering.committed_ms = clock_ms();
	else
		acknowledger_add(&f->acknowledger, w);
	if (w->adopted && id_equal(&f->known.consumer, &w->consumer) &&
	    f->known.row < w->last)
		f->known.row = w->last;
	window_clear(w);
}

static void
handle_acknowledger(struct flusher *f, enum acknowledger_news news)
{
	switch (news) {
	case ACKNOWLEDGER_NOTHING: return;
	case ACKNOWLEDGER_FAULT:
		fail(f, EXIT_CONFIG, "redis", "%s",
		    queue_status(f->acknowledger.q)->why);
		return;
	case ACKNOWLEDGER_ANSWER: break;
	}
	if (f->checking) {
		f->stranger = !f->acknowledger.registered;
		f->checking = false;
	} else if (f->gc.state == LEDGER_GC_ASK) {
		ledger_gc_answer(&f->gc, &f->committer, &f->acknowledger);
	}
}

int64_t
flusher_oldest(const struct flusher *f)
{
	int64_t oldest_ms = IO_FOREVER, now_ms = clock_ms();

	for (size_t i = 0; i < 2; i++)
		if (f->windows[i].open && f->windows[i].oldest_ms < oldest_ms)
			oldest_ms = f->windows[i].oldest_ms;
	if (f->pending) {
		int64_t at_ms = now_ms - flush_input_age_ms(&f->input, now_ms,
					     clock_unix_ms());

		oldest_ms = num_min(at_ms, oldest_ms);
	}
	return oldest_ms;
}

bool
flusher_done(const struct flusher *f)
{
	return f->ended && !f->pending && !f->filling->open &&
	       committer_idle(&f->committer) && f->acknowledger.acks.n == 0;
}

static void
out_of_memory(struct flusher *f)
{
	fail(f, EXIT_TEMPFAIL, "memory", "%s", strerror(ENOMEM));
}

/* The first failure is the one that counts. */
static void
fail(struct flusher *f, int status, const char *object, const char *fmt, ...)
{
	va_list ap;

	if (f->status != 0)
		return;
	f->status = status;
	f->object = object;
	va_start(ap, fmt);
	vsnprintf(f->why, sizeof f->why, fmt, ap);
	va_end(ap);
}
