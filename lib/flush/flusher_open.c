/* Opens and closes a flusher, with all its parts. */
#include "flush/flusher.h"
#include "flush/known_stream.h"

void
flusher_open(struct flusher *f, struct postgres *pg,
    struct postgres *adopted_pg, const struct flusher_options *options)
{
	struct hash_seed seed;

	*f = (struct flusher){.options = *options,
	    .input = {.queue = options->queue},
	    .schedule = {.interval_ms = options->interval_ms,
		.max_keys = options->max_keys},
	    .tally = {.staleness_ms = -1}};
	f->filling = &f->windows[0];
	hash_seed_make(&seed);
	for (size_t i = 0; i < FLUSHER_WINDOWS; i++)
		keysums_open(&f->windows[i].keysums, &seed);
	window_numbering_init(&f->numbering);
	committer_open(&f->committer, pg, options->queue);
	adopter_open(&f->adopter, adopted_pg, options->queue, &f->committer,
	    &f->windows[2]);
	sums_open(
	    &f->sums, options->sums, &f->committer, &seed, options->max_keys);
	if (!options->load.given)
		return;
	f->load = options->load;
	f->state = FLUSHER_LOAD;
	committer_look(&f->committer, &f->load.id);
}

void
flusher_close(struct flusher *f)
{
	committer_close(&f->committer);
	adopter_close(&f->adopter);
	if (f->from_consumer)
		acknowledger_close(&f->acknowledger);
	sums_close(&f->sums);
	known_stream_close(&f->stream_known);
	for (size_t i = 0; i < FLUSHER_WINDOWS; i++)
		window_free(&f->windows[i]);
	batch_free(&f->input.batch);
}
