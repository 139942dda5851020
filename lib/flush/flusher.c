/* Turns lines into batches, windows and statements, and acknowledges. */
#include "flush/flusher.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "base/reason.h"
#include "flush/identity.h"
#include "flush/known_stream.h"

static void begin_consumer(struct flusher *f);
static bool asks(const struct flusher *f);
static void move(struct flusher *f, enum flusher_state to);
static void ask(struct flusher *f, const struct id *consumer);
static void place(struct flusher *f);
static enum placement placement(struct flusher *f);
static void add(struct flusher *f);
static void adopt(struct flusher *f);
static void acknowledge(struct flusher *f);
static void open_plain(struct flusher *f, int64_t now_ms);
static int64_t due_ms(const struct flusher *f);
static void freeze(struct flusher *f);
static void handle_committer(struct flusher *f, enum committer_news news);
static void committed(struct flusher *f);
static void row_read(struct flusher *f);
static void step_adopter(struct flusher *f, short revents);
static void handle_acknowledger(struct flusher *f, enum acknowledger_news news);
static void restored(struct flusher *f);
static void answered(struct flusher *f);

/* -- lines ---------------------------------------------------------------- */

enum flush_input_event
flusher_line(struct flusher *f, const char *line, size_t len, bool too_long,
    int64_t now_ms)
{
	enum flush_input_event event;

	if (f->load.given) {
		bool skips = load_file_skips(&f->load);

		f->ended = f->load.at == f->load.lines;
		if (skips)
			return FLUSH_INPUT_LINE;
	}
	event = flush_input_line(&f->input, line, len, too_long, now_ms);
	switch (event) {
	case FLUSH_INPUT_LINE: break;
	case FLUSH_INPUT_ADD:
		open_plain(f, now_ms);
		flusher_check_memory(
		    f, plain_lines_add(&f->plain, f->filling, &f->input.inc));
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
		flusher_fail(f, EXIT_CONFIG, "stdin: %s", f->input.why);
		break;
	case FLUSH_INPUT_BUG:
		flusher_fail(f, EXIT_BUG, "stdin: %s", f->input.why);
		break;
	case FLUSH_INPUT_MEMORY: flusher_check_memory(f, -1); break;
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
	if (f->load.given) {
		flusher_fail(f, EXIT_CONFIG, "stdin: comes from incr-consume");
		return;
	}
	q = queue_open(f->options.redis, f->options.queue, &why);
	if (q == NULL) {
		flusher_fail(f, log_status(why), "redis: %s", why);
		return;
	}
	acknowledger_open(&f->acknowledger, q, f->windows, FLUSHER_WINDOWS,
	    &f->input, 3 * f->options.interval_ms);
	f->acknowledger.keep_ms = f->options.keep_ms;
	f->acknowledger.keeping.high_water = f->options.high_water;
	committer_hold(&f->committer);
	known_stream_open(&f->stream_known, f->options.redis, f->options.queue);
	f->from_consumer = true;
	schedule_promise(&f->schedule);
	move(f, FLUSHER_ASK_STREAM);
}

void
flusher_end(struct flusher *f)
{
	f->ended = true;
	sums_end(&f->sums);
	if (!flusher_has_batch(f))
		move(f, FLUSHER_READ);
}

void
flusher_leave(struct flusher *f)
{
	f->leaving = true;
}

/* -- states --------------------------------------------------------------- */

/* Enters a state and begins what is waited for there. */
static void
move(struct flusher *f, enum flusher_state to)
{
	const struct control_checkpoint *p = &f->input.point;

	f->state = to;
	switch (to) {
	case FLUSHER_READ: batch_clear(&f->input.batch); break;
	case FLUSHER_LOAD: break;
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
	char why[REASON_MAX];

	while (f->state == FLUSHER_PLACE && f->status == 0) {
		switch (placement(f)) {
		case PLACEMENT_WAIT: return;
		case PLACEMENT_CLOSE: freeze(f); break;
		case PLACEMENT_ASK: move(f, FLUSHER_ASK_BATCH); break;
		case PLACEMENT_LOOK: move(f, FLUSHER_LOOK); break;
		case PLACEMENT_FOREIGN:
			if (f->acknowledger.known_here)
				flusher_fail(f, EXIT_TEMPFAIL, "%s",
				    going_back_swept(
					&f->back, &f->input.point, f->row.row));
			placement_explain(&f->input.point, why);
			flusher_fail(f, known_stream_status(&f->stream_known),
			    "%s", why);
			break;
		case PLACEMENT_ADD: add(f); break;
		case PLACEMENT_ADOPT: adopt(f); break;
		case PLACEMENT_ACKNOWLEDGE: acknowledge(f); break;
		}
	}
}

/* How many keys its next statement may have. */
static void
limit_adopter(struct flusher *f)
{
	struct adopted_ranges *r = &f->adopter.ranges;

	r->keys_max = schedule_keys(&f->schedule, &f->committer.cost);
	r->keys_most = cost_model_most(&f->committer.cost);
}

static enum placement
placement(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;
	size_t most = cost_model_most(&f->committer.cost);

	limit_adopter(f);
	return placement_of(&(struct placement_facts){.batch = p,
	    .filling = f->filling,
	    .committing = f->committer.window,
	    .row = &f->row,
	    .registered = !f->unregistered,
	    .asked = &f->asked,
	    .may_ask = f->gc.state == LEDGER_GC_WAIT,
	    .fits = p->adopted || !f->filling->open ||
		    window_fits(f->filling, &f->input.batch, most),
	    .adopter_takes =
		p->adopted &&
		adopted_ranges_take(&f->adopter.ranges, p, &f->input.batch)});
}

/* The batch goes into the window that fills. */
static void
add(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;
	const struct batch *b = &f->input.batch;
	struct window *w = f->filling;
	int64_t now_ms = clock_ms();
	int64_t age_ms = flush_input_age_ms(&f->input, now_ms);

	if (!w->open) {
		window_open(w, &p->consumer, &f->input.consumer, false,
		    b->lines > 0 ? b->opened_ms : now_ms);
		schedule_open(&f->schedule, arc4random());
	}
	flusher_check_memory(f, window_add_batch(w, b, p->seq, age_ms, now_ms));
	move(f, FLUSHER_READ);
}

/* The batch goes into a window of its consumer, who was adopted. */
static void
adopt(struct flusher *f)
{
	int64_t age_ms = flush_input_age_ms(&f->input, clock_ms());

	flusher_check_memory(
	    f, adopter_add(&f->adopter, &f->input.point, &f->input.consumer,
		   &f->input.batch, age_ms));
	move(f, FLUSHER_READ);
}

/* It is in the table; who is not registered has no batch to be deleted. */
static void
acknowledge(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;

	f->tally.replayed++;
	sums_add_batch(&f->sums, &f->input.batch);
	if (!f->unregistered)
		flusher_check_memory(
		    f, acknowledger_add_batch(&f->acknowledger, &p->consumer,
			   &f->input.consumer, p->seq, &f->input.batch));
	move(f, FLUSHER_READ);
}

/* -- windows -------------------------------------------------------------- */

static void
open_plain(struct flusher *f, int64_t now_ms)
{
	if (f->filling->open)
		return;
	window_open_plain(f->filling, now_ms);
	schedule_open(&f->schedule, arc4random());
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
	if (f->load.given)
		load_file_number(&f->load, w);
	else if (w->plain)
		window_number(w, &f->numbering, clock_ms());
	if (w->plain)
		FAILPOINT("flush-plain");
	committer_commit(&f->committer, w);
	f->filling = &f->windows[w == &f->windows[0]];
}

/* -- services ------------------------------------------------------------- */

int64_t
flusher_wait(struct flusher *f, struct pollfd ret_pfds[FLUSHER_PFDS])
{
	int64_t next_ms, at_ms;

	flusher_check_memory(f, plain_lines_pour(&f->plain, f->filling));
	next_ms = due_ms(f);
	at_ms = committer_wait(&f->committer, &ret_pfds[0]);
	next_ms = num_min(at_ms, next_ms);
	at_ms = adopter_wait(&f->adopter, &ret_pfds[2]);
	next_ms = num_min(at_ms, next_ms);
	at_ms = sums_wait(&f->sums, &ret_pfds[3]);
	next_ms = num_min(at_ms, next_ms);
	ret_pfds[1] = (struct pollfd){.fd = -1};
	if (!f->from_consumer)
		return next_ms;
	at_ms = acknowledger_wait(&f->acknowledger, &ret_pfds[1]);
	next_ms = num_min(going_back_due(&f->back, &f->committer), next_ms);
	return num_min(at_ms, next_ms);
}

void
flusher_step(struct flusher *f, const struct pollfd pfds[FLUSHER_PFDS])
{
	flusher_check_memory(f, plain_lines_pour(&f->plain, f->filling));
	handle_committer(f, committer_step(&f->committer, pfds[0].revents));
	/* Another server may have another row. */
	if (f->connection != postgres_status(f->committer.pg)->connections)
		f->row.known = false;
	step_adopter(f, pfds[2].revents);
	sums_step(&f->sums, &pfds[3]);
	f->acknowledger.sums_since_ms = sums_since(&f->sums);
	if (f->status == 0)
		going_back_adopt(&f->adopter, &f->acknowledger);
	f->acknowledger.stalled =
	    committer_stalled(&f->committer, clock_ms()) ||
	    adopter_stalled(&f->adopter, clock_ms());
	if (f->from_consumer && f->status == 0)
		handle_acknowledger(
		    f, acknowledger_step(&f->acknowledger, pfds[1].revents));
	place(f);
	if (f->status == 0 && due_ms(f) <= clock_ms())
		freeze(f);
	if (f->from_consumer && f->status == 0)
		going_back_start(
		    &f->back, &f->committer, &f->acknowledger, clock_ms());
	if (f->from_consumer && !asks(f) && !f->ended)
		ledger_gc_start(&f->gc, &f->committer, clock_ms());
}

static void
handle_committer(struct flusher *f, enum committer_news news)
{
	char why[REASON_MAX] = "";

	if (news == COMMITTER_LOST && !f->load.given) {
		going_back_window(
		    &f->acknowledger, f->committer.window, f->committer.row);
		return;
	}
	if (committer_status(news) != 0) {
		committer_explain(&f->committer, news, why);
		flusher_fail(f, committer_status(news), "%s", why);
		return;
	}
	if (news == COMMITTER_COMMITTED)
		committed(f);
	else if (news == COMMITTER_ROW)
		row_read(f);
	else if (news == COMMITTER_ROWS_READ)
		going_back_rows(&f->back, &f->committer, &f->acknowledger);
	else if (news == COMMITTER_FOUND)
		ledger_gc_found(&f->gc, &f->committer, &f->acknowledger);
	else if (news == COMMITTER_FORGOTTEN)
		ledger_gc_forgotten(&f->gc, &f->committer);
}

static void
step_adopter(struct flusher *f, short revents)
{
	struct adopter *a = &f->adopter;
	enum committer_news news;
	char why[REASON_MAX] = "";

	a->ranges.hurry |= f->ended;
	limit_adopter(f);
	news = adopter_step(a, revents);
	if (committer_status(news) != 0) {
		adopter_explain(a, news, why);
		flusher_fail(f, committer_status(news), "%s", why);
	}
	if (f->status == 0)
		adopter_settle(a, &f->acknowledger, &f->sums, &f->tally);
}

static void
committed(struct flusher *f)
{
	struct window *w = committer_take(&f->committer);

	flush_tally_commit(&f->tally, w, f->committer.replayed,
	    f->committer.took_us, w->keysums.n, clock_ms());
	sums_add_window(&f->sums, w);
	if (w->plain)
		f->numbering.committed_ms = clock_ms();
	else
		acknowledger_add(&f->acknowledger, w);
	window_clear(w);
}

/* The ledger row of the batch's consumer, who is not registered, was read. */
static void
row_read(struct flusher *f)
{
	const struct control_checkpoint *p = &f->input.point;

	if (f->load.given) {
		f->load.row = f->committer.row;
		move(f, FLUSHER_READ);
		return;
	}
	f->row = (struct placement_row){
	    .known = true, .consumer = p->consumer, .row = f->committer.row};
	f->connection = postgres_status(f->committer.pg)->connections;
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
	case ACKNOWLEDGER_LISTED:
		going_back_listed(&f->back, &f->committer, &f->acknowledger);
		return;
	case ACKNOWLEDGER_RESTORED_SEEN:
		going_back_seen(&f->back, &f->acknowledger);
		return;
	case ACKNOWLEDGER_RESTORED: restored(f); return;
	case ACKNOWLEDGER_RESTORED_ADOPTED:
		going_back_adopted(&f->back, &f->adopter, &f->acknowledger);
		going_back_adopt(&f->adopter, &f->acknowledger);
		return;
	}
}

/* Redis has restored what is missing below the own window. */
static void
restored(struct flusher *f)
{
	char why[REASON_MAX] = "";

	going_back_restored(&f->back, &f->acknowledger, f->committer.window);
	committer_explain(&f->committer, COMMITTER_LOST, why);
	flusher_fail(f, committer_status(COMMITTER_LOST), "%s", why);
}

/* Redis has said whether a consumer is registered: ours, or ledger_gc's. */
static void
answered(struct flusher *f)
{
	if (asks(f)) {
		f->unregistered = !f->acknowledger.registered;
		if (!f->unregistered)
			known_stream_note(&f->stream_known);
		move(f, flusher_has_batch(f) ? FLUSHER_PLACE : FLUSHER_READ);
	} else if (f->gc.state == LEDGER_GC_ASK) {
		ledger_gc_answer(&f->gc, &f->committer, &f->acknowledger);
	}
}
