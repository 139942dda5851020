/* Turns lines into batches, windows and statements, and acknowledges. */
#include "flush/flusher.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "base/reason.h"
#include "flush/identity.h"

enum { ACKS_KEPT = 3 }; /* of acks: for both windows, the pending batch */

static void begin_consumer(struct flusher *f);
static bool has_batch(const struct flusher *f);
static bool asks(const struct flusher *f);
static void move(struct flusher *f, enum flusher_state to);
static void ask(struct flusher *f, const struct id *consumer);
static void place(struct flusher *f);
static enum placement placement(const struct flusher *f);
static void add(struct flusher *f);
static void acknowledge(struct flusher *f);
static void refuse(struct flusher *f);
static void open_plain(struct flusher *f, int64_t now_ms);
static int64_t due_ms(const struct flusher *f);
static void freeze(struct flusher *f);
static void handle_committer(struct flusher *f, enum committer_news news);
static void committed(struct flusher *f);
static void row_read(struct flusher *f);
static void uncommitted(
    struct flusher *f, int status, enum committer_news news);
static void handle_acknowledger(struct flusher *f, enum acknowledger_news news);
static void answered(struct flusher *f);
static void out_of_memory(struct flusher *f);
static void fail(struct flusher *f, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

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
	if (f->from_consumer)
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

	if (f->ended || f->state != FLUSHER_READ || f->status != 0)
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
		if (!f->from_consumer)
			open_plain(f, now_ms);
		break;
	case FLUSH_INPUT_BEGIN: begin_consumer(f); break;
	case FLUSH_INPUT_BATCH:
		move(f, FLUSHER_PLACE);
		place(f);
		break;
	case FLUSH_INPUT_END: f->close_now = f->filling->open; break;
	case FLUSH_INPUT_CONFIG:
		fail(f, EXIT_CONFIG, "stdin: %s", f->input.why);
		break;
	case FLUSH_INPUT_BUG:
		fail(f, EXIT_BUG, "stdin: %s", f->input.why);
		break;
	case FLUSH_INPUT_MEMORY: out_of_memory(f); break;
	}
	return event;
}

/* The stream's first consumer must be registered in the Redis of --redis. */
static void
begin_consumer(struct flusher *f)
{
	const char *why;
	struct queue *q;

	f->close_now = f->filling->open;
	if (f->from_consumer)
		return;
	q = queue_open(f->options.redis, f->options.queue, &why);
	if (q == NULL) {
		fail(f, log_status(why), "redis: %s", why);
		return;
	}
	acknowledger_open(&f->acknowledger, q, f->windows, &f->input,
	    3 * f->options.interval_ms);
	committer_hold(&f->committer);
	f->from_consumer = true;
	schedule_promise(&f->schedule);
	move(f, FLUSHER_ASK_STREAM);
}

void
flusher_end(struct flusher *f)
{
	f->ended = true;
	if (!has_batch(f))
		move(f, FLUSHER_READ);
}

/* -- states --------------------------------------------------------------- */

static bool
has_batch(const struct flusher *f)
{
	switch (f->state) {
	case FLUSHER_READ:
	case FLUSHER_ASK_STREAM: return false;
	case FLUSHER_PLACE:
	case FLUSHER_ASK_BATCH:
	case FLUSHER_LOOK: break;
	}
	return true;
}

/* Enters a state and begins what is waited for there. */
static void
move(struct flusher *f, enum flusher_state to)
{
	const struct control_checkpoint *p = &f->input.point;

	f->state = to;
	switch (to) {
	case FLUSHER_READ: batch_clear(&f->input.batch); break;
	case FLUSHER_ASK_STREAM: ask(f, &f->input.consumer); break;
	case FLUSHER_PLACE: break;
	case FLUSHER_ASK_BATCH: ask(f, &p->consumer); break;
	case FLUSHER_LOOK:
		f->row.known = false;
		committer_look(&f->committer, &p->consumer);
		break;
	}
}

/* Is an answer of Redis waited for? */
static bool
asks(const struct flusher *f)
{
	return f->state == FLUSHER_ASK_STREAM || f->state == FLUSHER_ASK_BATCH;
}

static void
ask(struct flusher *f, const struct id *consumer)
{
	f->asked = *consumer;
	acknowledger_ask(&f->acknowledger, consumer);
}

/* -- batches -------------------------------------------------------------- */

/* Places the complete batch, as far as that can be done now. */
static void
place(struct flusher *f)
{
	while (f->state == FLUSHER_PLACE && f->status == 0) {
		switch (placement(f)) {
		case PLACEMENT_WAIT: return;
		case PLACEMENT_CLOSE: freeze(f); break;
		case PLACEMENT_ASK: move(f, FLUSHER_ASK_BATCH); break;
		case PLACEMENT_LOOK: move(f, FLUSHER_LOOK); break;
		case PLACEMENT_FOREIGN: refuse(f); break;
		case PLACEMENT_ADD: add(f); break;
		case PLACEMENT_ACKNOWLEDGE: acknowledge(f); break;
		}
	}
}

static enum placement
placement(const struct flusher *f)
{
	return placement_of(&(struct placement_facts){.batch = &f->input.point,
	    .filling = f->filling,
	    .row = &f->row,
	    .registered = !f->unregistered,
	    .asked = &f->asked,
	    .may_ask = f->gc.state == LEDGER_GC_WAIT,
	    .committer_idle = committer_idle(&f->committer)});
}

/* The batch goes into the window that fills. */
static void
add(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;
	const struct batch *b = &f->input.batch;
	struct window *w = f->filling;
	int64_t now_ms = clock_ms();
	int64_t age_ms = flush_input_age_ms(&f->input, now_ms, clock_unix_ms());

	if (!w->open) {
		window_open(w, &p->consumer, &f->input.consumer, p->adopted,
		    b->lines > 0 ? b->opened_ms : now_ms);
		schedule_open(&f->schedule, w, arc4random());
	}
	if (window_add_batch(w, b, p->seq, age_ms, now_ms) < 0)
		out_of_memory(f);
	if (p->adopted)
		f->row.last = p->seq;
	move(f, FLUSHER_READ);
}

/* It is in the table; who is not registered has no batch to be deleted. */
static void
acknowledge(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;

	f->replayed++;
	if (!f->unregistered &&
	    acknowledger_add_batch(&f->acknowledger, &p->consumer,
		&f->input.consumer, p->seq, &f->input.batch) < 0)
		out_of_memory(f);
	move(f, FLUSHER_READ);
}

static void
refuse(struct flusher *f)
{
	char consumer[ID_TEXT + 1];

	id_format(&f->input.point.consumer, consumer);
	fail(f, EXIT_CONFIG,
	    "redis: consumer %s is not registered here; --redis must be that "
	    "of incr-consume",
	    consumer);
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
	if (f->close_now || f->ended)
		return 0;
	return schedule_due(&f->schedule, w, &f->committer.cost);
}

/* Commits the window that fills; the other one fills from now on. */
static void
freeze(struct flusher *f)
{
	struct window *w = f->filling;

	f->close_now = false;
	if (w->plain && w->keysums.n == 0) { /* only bad lines */
		window_clear(w);
		return;
	}
	if (w->plain)
		window_number(w, &f->numbering, clock_ms());
	committer_commit(&f->committer, w);
	f->filling = &f->windows[w == &f->windows[0]];
}

/* -- services ------------------------------------------------------------- */

int64_t
flusher_wait(const struct flusher *f, struct pollfd ret_pfds[2])
{
	int64_t next_ms = due_ms(f),
		at_ms = committer_wait(&f->committer, &ret_pfds[0]);

	next_ms = num_min(at_ms, next_ms);
	ret_pfds[1] = (struct pollfd){.fd = -1};
	if (!f->from_consumer)
		return next_ms;
	at_ms = acknowledger_wait(&f->acknowledger, &ret_pfds[1]);
	return num_min(at_ms, next_ms);
}

void
flusher_step(struct flusher *f, const struct pollfd pfds[2])
{
	handle_committer(f, committer_step(&f->committer, pfds[0].revents));
	f->acknowledger.stalled = committer_stalled(&f->committer, clock_ms());
	if (f->from_consumer && f->status == 0)
		handle_acknowledger(
		    f, acknowledger_step(&f->acknowledger, pfds[1].revents));
	place(f);
	if (f->status == 0 && due_ms(f) <= clock_ms())
		freeze(f);
	if (f->from_consumer && !asks(f) && !f->ended)
		ledger_gc_start(&f->gc, &f->committer, clock_ms());
}

static void
handle_committer(struct flusher *f, enum committer_news news)
{
	switch (news) {
	case COMMITTER_NOTHING: return;
	case COMMITTER_COMMITTED: committed(f); return;
	case COMMITTER_ROW: row_read(f); return;
	case COMMITTER_FOUND:
		ledger_gc_found(&f->gc, &f->committer, &f->acknowledger);
		return;
	case COMMITTER_FORGOTTEN:
		ledger_gc_forgotten(&f->gc, &f->committer);
		return;
	case COMMITTER_PARTLY:
	case COMMITTER_TOO_OLD:
	case COMMITTER_ELSEWHERE:
	case COMMITTER_HIDDEN_LATER:
	case COMMITTER_MEMORY: uncommitted(f, EXIT_TEMPFAIL, news); return;
	case COMMITTER_LOST: uncommitted(f, EXIT_BUG, news); return;
	case COMMITTER_HIDDEN:
	case COMMITTER_FAULT: uncommitted(f, EXIT_CONFIG, news); return;
	}
}

/* The window can't be committed. */
static void
uncommitted(struct flusher *f, int status, enum committer_news news)
{
	char why[REASON_MAX] = "";

	committer_explain(&f->committer, news, why);
	fail(f, status, "%s", why);
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
	if (w->adopted && id_equal(&f->row.consumer, &w->consumer) &&
	    f->row.row < w->last)
		f->row.row = w->last;
	window_clear(w);
}

/* The ledger row of the batch's consumer was read. */
static void
row_read(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;
	uint64_t row = f->committer.row;

	f->row = (struct placement_row){
	    .known = true, .consumer = p->consumer, .row = row, .last = row};
	if (p->seq > row + 1 && !f->unregistered)
		fail(f, EXIT_BUG,
		    "ledger: row stands at batch %" PRIu64
		    ", expected %" PRIu64,
		    row, p->seq - 1);
	move(f, FLUSHER_PLACE);
	place(f);
}

static void
handle_acknowledger(struct flusher *f, enum acknowledger_news news)
{
	f->status =
	    identity_step(&f->committer, &f->acknowledger, news, f->why);
	switch (news) {
	case ACKNOWLEDGER_NOTHING:
	case ACKNOWLEDGER_IDENTIFIED: return;
	case ACKNOWLEDGER_BACK:
	case ACKNOWLEDGER_FAULT:
		f->status =
		    acknowledger_explain(&f->acknowledger, news, f->why);
		return;
	case ACKNOWLEDGER_ANSWER: answered(f); return;
	}
}

/* Redis has said whether a consumer is registered: ours, or ledger_gc's. */
static void
answered(struct flusher *f)
{
	if (asks(f)) {
		f->unregistered = !f->acknowledger.registered;
		move(f, has_batch(f) ? FLUSHER_PLACE : FLUSHER_READ);
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
	if (has_batch(f)) {
		int64_t at_ms = now_ms - flush_input_age_ms(&f->input, now_ms,
					     clock_unix_ms());

		oldest_ms = num_min(at_ms, oldest_ms);
	}
	return oldest_ms;
}

bool
flusher_done(const struct flusher *f)
{
	return f->ended && !has_batch(f) && !f->filling->open &&
	       committer_idle(&f->committer) && f->acknowledger.acks.n == 0;
}

static void
out_of_memory(struct flusher *f)
{
	fail(f, EXIT_TEMPFAIL, LOG_NO_MEMORY);
}

/* Keeps the first failure. */
static void
fail(struct flusher *f, int status, const char *fmt, ...)
{
	va_list ap;

	if (f->status != 0)
		return;
	f->status = status;
	va_start(ap, fmt);
	reason_vset(f->why, fmt, ap);
	va_end(ap);
}
