/*
 * Where a complete batch goes: one line per case of what is known of the
 * window that fills, the ledger row, Redis's answer and the services.
 */
#include "check.h"
#include "flush/placement.h"

static const struct id A = {{0xa}}, B = {{0xb}};

enum { ADOPTED = true, OWN = false };

static const struct placement_case {
	const char *what;
	/* The batch is A's. */
	uint64_t seq;
	bool adopted;
	/* The window that fills; consumer NULL: it is not open. */
	struct {
		const struct id *consumer;
		bool adopted;
		uint64_t last;
		size_t lines; /* in its log */
	} filling;
	/* The ledger row; consumer NULL: none is known. */
	struct {
		const struct id *consumer;
		uint64_t row, last;
	} row;
	/* Who is not registered, NULL: nobody; may another be asked? */
	const struct id *unregistered;
	bool may_ask;
	bool idle;
	enum placement placement;
} cases[] = {
    /* Own batches. */
    {"opens a window", 1, OWN, {0}, {0}, NULL, true, true, PLACEMENT_ADD},
    {"opens a window while another is with Postgres", 1, OWN, {0}, {0}, NULL,
	true, false, PLACEMENT_ADD},
    {"next in the window", 7, OWN, {&A, OWN, 6, 0}, {0}, NULL, true, true,
	PLACEMENT_ADD},
    {"next in the window, committer busy", 7, OWN, {&A, OWN, 6, 0}, {0}, NULL,
	true, false, PLACEMENT_ADD},
    {"not the next: gap", 8, OWN, {&A, OWN, 6, 0}, {0}, NULL, true, true,
	PLACEMENT_CLOSE},
    {"not the next: again", 6, OWN, {&A, OWN, 6, 0}, {0}, NULL, true, true,
	PLACEMENT_CLOSE},
    {"another consumer's window", 7, OWN, {&B, OWN, 6, 0}, {0}, NULL, true,
	true, PLACEMENT_CLOSE},
    {"a window of adopted batches", 7, OWN, {&A, ADOPTED, 6, 0}, {0}, NULL,
	true, true, PLACEMENT_CLOSE},
    {"the window must close, committer busy", 7, OWN, {&B, OWN, 6, 0}, {0},
	NULL, true, false, PLACEMENT_WAIT},
    {"its ledger row is not asked for", 7, OWN, {0}, {&A, 9, 9}, NULL, true,
	true, PLACEMENT_ADD},

    /* Adopted batches. */
    {"no row", 3, ADOPTED, {0}, {0}, NULL, true, true, PLACEMENT_LOOK},
    {"no row, committer busy", 3, ADOPTED, {0}, {0}, NULL, true, false,
	PLACEMENT_WAIT},
    {"no row, a window fills", 3, ADOPTED, {&B, OWN, 6, 0}, {0}, NULL, true,
	true, PLACEMENT_CLOSE},
    {"no row, a window fills, committer busy", 3, ADOPTED, {&B, OWN, 6, 0}, {0},
	NULL, true, false, PLACEMENT_WAIT},
    {"another's row", 3, ADOPTED, {0}, {&B, 2, 2}, NULL, true, true,
	PLACEMENT_LOOK},
    {"counted before", 3, ADOPTED, {0}, {&A, 3, 3}, NULL, true, true,
	PLACEMENT_ACKNOWLEDGE},
    {"counted long before", 3, ADOPTED, {0}, {&A, 9, 9}, NULL, true, true,
	PLACEMENT_ACKNOWLEDGE},
    {"counted before, whatever fills or is committed", 3, ADOPTED,
	{&B, OWN, 6, 0}, {&A, 3, 3}, NULL, true, false, PLACEMENT_ACKNOWLEDGE},
    {"follows the row", 4, ADOPTED, {0}, {&A, 3, 3}, NULL, true, true,
	PLACEMENT_ADD},
    {"follows the windows", 6, ADOPTED, {&A, ADOPTED, 5, 0}, {&A, 3, 5}, NULL,
	true, false, PLACEMENT_ADD},
    {"follows the windows, none fills", 6, ADOPTED, {0}, {&A, 3, 5}, NULL, true,
	false, PLACEMENT_ADD},
    {"follows the row, our own window fills", 4, ADOPTED, {&B, OWN, 6, 0},
	{&A, 3, 3}, NULL, true, true, PLACEMENT_CLOSE},
    {"the same, committer busy", 4, ADOPTED, {&B, OWN, 6, 0}, {&A, 3, 3}, NULL,
	true, false, PLACEMENT_WAIT},
    {"in a window that is not in the table yet", 5, ADOPTED,
	{&A, ADOPTED, 5, 0}, {&A, 3, 5}, NULL, true, true, PLACEMENT_CLOSE},
    {"behind a gap", 8, ADOPTED, {0}, {&A, 3, 5}, NULL, true, true,
	PLACEMENT_LOOK},
    {"the log has room for a batch", 6, ADOPTED,
	{&A, ADOPTED, 5, WINDOW_LOG_MAX - 1}, {&A, 3, 5}, NULL, true, true,
	PLACEMENT_ADD},
    {"the log is full", 6, ADOPTED, {&A, ADOPTED, 5, WINDOW_LOG_MAX},
	{&A, 3, 5}, NULL, true, true, PLACEMENT_CLOSE},

    /* Somebody is not registered. */
    {"the stream's consumer: ask about this one", 3, ADOPTED, {0}, {0}, &B,
	true, true, PLACEMENT_ASK},
    {"even if it goes on", 7, OWN, {&A, OWN, 6, 0}, {0}, &B, true, false,
	PLACEMENT_ASK},
    {"Redis is asked something else", 3, ADOPTED, {0}, {&A, 3, 3}, &B, false,
	true, PLACEMENT_WAIT},
    {"this one: look at its row", 3, ADOPTED, {0}, {0}, &A, true, true,
	PLACEMENT_LOOK},
    {"this one, own batch: look, too", 3, OWN, {0}, {0}, &A, true, true,
	PLACEMENT_LOOK},
    {"this one, committer busy", 3, OWN, {0}, {0}, &A, true, false,
	PLACEMENT_WAIT},
    {"this one, counted before", 3, ADOPTED, {0}, {&A, 3, 3}, &A, true, true,
	PLACEMENT_ACKNOWLEDGE},
    {"this one, own batch, counted before", 3, OWN, {0}, {&A, 3, 3}, &A, true,
	true, PLACEMENT_ADD},
    {"this one, not counted", 4, ADOPTED, {0}, {&A, 3, 3}, &A, true, true,
	PLACEMENT_FOREIGN},
    {"this one, own batch, not counted", 4, OWN, {0}, {&A, 3, 3}, &A, true,
	true, PLACEMENT_FOREIGN},
};

static enum placement
decide(const struct placement_case *c, struct window *w)
{
	const struct control_checkpoint batch = {
	    .consumer = A, .seq = c->seq, .adopted = c->adopted};
	/* A row that is not known is not one of any consumer. */
	const struct placement_row row = {.known = c->row.consumer != NULL,
	    .consumer = c->row.consumer != NULL ? *c->row.consumer : A,
	    .row = c->row.row,
	    .last = c->row.last};

	if (c->filling.consumer != NULL) {
		window_open(w, c->filling.consumer, &B, c->filling.adopted, 0);
		w->last = c->filling.last;
		w->log.len = c->filling.lines * sizeof(struct increment);
	}
	return placement_of(&(struct placement_facts){.batch = &batch,
	    .filling = w,
	    .row = &row,
	    .registered = c->unregistered == NULL,
	    .asked = c->unregistered == NULL ? &B : c->unregistered,
	    .may_ask = c->may_ask,
	    .committer_idle = c->idle});
}

int
main(void)
{
	for (size_t i = 0; i < check_n(cases); i++) {
		struct window w = {0};
		enum placement is = decide(&cases[i], &w);

		check(
		    is == cases[i].placement, "%s: %d", cases[i].what, (int)is);
	}
	return check_end();
}
