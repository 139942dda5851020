/* What a flusher has in hand, and whether it takes more. */
#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "flush/flusher.h"

/* The bound of all windows; they, and the batch, will be in acks. */
static bool
has_room(const struct flusher *f)
{
	size_t size =
	    window_size(f->filling) + f->plain.n + f->adopter.ranges.size;

	if (f->committer.window != NULL)
		size += window_size(f->committer.window);
	/* Batches are placed; lines without a batch go into any window. */
	if (f->filling->plain && f->filling->keysums.n + f->plain.n >=
				     cost_model_most(&f->committer.cost))
		return false;
	return size < f->options.max_keys &&
	       f->acknowledger.acks.n + FLUSHER_WINDOWS + 1 < ACK_QUEUE_MAX;
}

bool
flusher_takes(struct flusher *f)
{
	if (f->ended || f->state != FLUSHER_READ || f->status != 0)
		return false;
	if (has_room(f))
		return true;
	/* Those of known keys take no room. */
	flusher_check_memory(f, plain_lines_pour(&f->plain, f->filling));
	return f->status == 0 && has_room(f);
}

bool
flusher_has_batch(const struct flusher *f)
{
	switch (f->state) {
	case FLUSHER_READ:
	case FLUSHER_LOAD:
	case FLUSHER_ASK_STREAM: return false;
	case FLUSHER_PLACE:
	case FLUSHER_ASK_BATCH:
	case FLUSHER_LOOK: break;
	}
	return true;
}

int64_t
flusher_oldest(const struct flusher *f)
{
	int64_t oldest_ms = IO_FOREVER, now_ms = clock_ms();

	for (size_t i = 0; i < FLUSHER_WINDOWS; i++)
		if (f->windows[i].open && f->windows[i].oldest_ms < oldest_ms)
			oldest_ms = f->windows[i].oldest_ms;
	if (flusher_has_batch(f)) {
		int64_t at_ms = now_ms - flush_input_age_ms(&f->input, now_ms);

		oldest_ms = num_min(at_ms, oldest_ms);
	}
	return oldest_ms;
}

/* A run that had nothing to count may be the only one for long. */
static bool
must_look(const struct flusher *f)
{
	return f->input.ended && f->options.keep_ms > 0 && !f->back.looked &&
	       !f->leaving;
}

bool
flusher_done(const struct flusher *f)
{
	return f->ended && !must_look(f) && !flusher_has_batch(f) &&
	       !f->filling->open && committer_idle(&f->committer) &&
	       f->adopter.ranges.n == 0 && f->acknowledger.acks.n == 0 &&
	       sums_done(&f->sums, clock_ms());
}

int64_t
flusher_outage_due(const struct flusher *f, int64_t wait_ms)
{
	const struct outage *adopter = flusher_adopter_outage(f);
	int64_t next_ms = outage_due(&f->committer.tasks.outage, wait_ms);

	if (adopter != NULL)
		next_ms = num_min(outage_due(adopter, wait_ms), next_ms);
	if (f->from_consumer)
		next_ms =
		    num_min(outage_due(&f->acknowledger.tasks.outage, wait_ms),
			next_ms);
	return next_ms;
}

struct outage *
flusher_adopter_outage(const struct flusher *f)
{
	return f->adopter.ranges.n == 0 ||
		       f->committer.tasks.outage.since_ms != 0
		   ? NULL
		   : (struct outage *)&f->adopter.tasks.outage;
}

bool
flusher_losses(struct flusher *f, char ret_why[REASON_MAX])
{
	return going_back_news(&f->back, &f->committer, ret_why);
}

bool
flusher_news(struct flusher *f, char ret_why[REASON_MAX])
{
	return sums_news(&f->sums, ret_why) ||
	       keeping_news(
		   &f->acknowledger.keeping, f->options.queue, ret_why) ||
	       dead_letters_news(&f->dead, f->acknowledger.rejected,
		   flusher_done(f), f->options.queue, clock_ms(), ret_why);
}
