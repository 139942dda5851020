/*
 * Where a complete batch goes: one line per case of what is known of the
 * window that fills, the ledger row, Redis's answer and the services.
 */
#include "check.h"
#include "flush/placement.h"

static const struct id A = {{0xa}}, B = {{0xb}};

/* FULL: adopted, and the adopter is; LARGE: too large for the window. */
enum of { OWN, ADOPTED, FULL, LARGE };

static const struct placement_case {
	const char *what;
	/* The batch is A's. */
	uint64_t seq;
	enum of of;
	/* The window that fills; consumer NULL: it is not open. */
	struct {
		const struct id *consumer;
		uint64_t last;
	} filling;
	/* The ledger row; consumer NULL: none is known. */
	struct {
		const struct id *consumer;
		uint64_t row;
	} row;
	/* Who is not registered, NULL: nobody; may another be asked? */
	const struct id *unregistered;
	bool may_ask;
	const struct id *committing; /* whose window; NULL: none */
	enum placement placement;
} cases[] = {
    /* Own batches. */
    {"opens a window", 1, OWN, {0}, {0}, NULL, true, NULL, PLACEMENT_ADD},
    {"opens a window while another is with Postgres", 1, OWN, {0}, {0}, NULL,
	true, &A, PLACEMENT_ADD},
    {"next in the window", 7, OWN, {&A, 6}, {0}, NULL, true, NULL,
	PLACEMENT_ADD},
    {"next in the window, committer busy", 7, OWN, {&A, 6}, {0}, NULL, true, &A,
	PLACEMENT_ADD},
    {"not the next: gap", 8, OWN, {&A, 6}, {0}, NULL, true, NULL,
	PLACEMENT_CLOSE},
    {"not the next: again", 6, OWN, {&A, 6}, {0}, NULL, true, NULL,
	PLACEMENT_CLOSE},
    {"another consumer's window", 7, OWN, {&B, 6}, {0}, NULL, true, NULL,
	PLACEMENT_CLOSE},
    {"the window must close, committer busy", 7, OWN, {&B, 6}, {0}, NULL, true,
	&A, PLACEMENT_WAIT},
    {"next in the window, which has no room", 7, LARGE, {&A, 6}, {0}, NULL,
	true, NULL, PLACEMENT_CLOSE},
    {"the same, committer busy", 7, LARGE, {&A, 6}, {0}, NULL, true, &A,
	PLACEMENT_WAIT},
    {"a large one opens a window", 1, LARGE, {0}, {0}, NULL, true, &A,
	PLACEMENT_ADD},
    {"its ledger row is not asked for", 7, OWN, {0}, {&A, 9}, NULL, true, NULL,
	PLACEMENT_ADD},

    /* Adopted batches. */
    {"nothing else is there", 3, ADOPTED, {0}, {0}, NULL, true, NULL,
	PLACEMENT_ADOPT},
    {"beside the windows of another", 3, ADOPTED, {&B, 6}, {0}, NULL, true, &B,
	PLACEMENT_ADOPT},
    {"the adopter has no room", 3, FULL, {&B, 6}, {0}, NULL, true, &B,
	PLACEMENT_WAIT},
    {"another's row", 3, ADOPTED, {0}, {&B, 3}, NULL, true, NULL,
	PLACEMENT_ADOPT},
    {"our own, under a name that was lost, fills", 3, ADOPTED, {&A, 6}, {0},
	NULL, true, NULL, PLACEMENT_CLOSE},
    {"the same, committer busy", 3, ADOPTED, {&A, 6}, {0}, NULL, true, &B,
	PLACEMENT_WAIT},
    {"the same is being committed", 3, ADOPTED, {&B, 6}, {0}, NULL, true, &A,
	PLACEMENT_WAIT},

    /* Somebody is not registered. */
    {"the stream's consumer: ask about this one", 3, ADOPTED, {0}, {0}, &B,
	true, NULL, PLACEMENT_ASK},
    {"even if it goes on", 7, OWN, {&A, 6}, {0}, &B, true, &A, PLACEMENT_ASK},
    {"Redis is asked something else", 3, ADOPTED, {0}, {&A, 3}, &B, false, NULL,
	PLACEMENT_WAIT},
    {"this one: look at its row", 3, ADOPTED, {0}, {0}, &A, true, NULL,
	PLACEMENT_LOOK},
    {"another's row is not its own", 3, ADOPTED, {0}, {&B, 3}, &A, true, NULL,
	PLACEMENT_LOOK},
    {"this one, own batch: look, too", 3, OWN, {0}, {0}, &A, true, NULL,
	PLACEMENT_LOOK},
    {"this one, a window fills", 3, ADOPTED, {&B, 6}, {0}, &A, true, NULL,
	PLACEMENT_CLOSE},
    {"this one, committer busy", 3, OWN, {0}, {0}, &A, true, &B,
	PLACEMENT_WAIT},
    {"this one, a window fills, committer busy", 3, ADOPTED, {&B, 6}, {0}, &A,
	true, &B, PLACEMENT_WAIT},
    {"this one, counted before", 3, ADOPTED, {0}, {&A, 3}, &A, true, NULL,
	PLACEMENT_ACKNOWLEDGE},
    {"this one, counted long before", 3, ADOPTED, {0}, {&A, 9}, &A, true, NULL,
	PLACEMENT_ACKNOWLEDGE},
    {"this one, whatever fills or is committed", 3, ADOPTED, {&B, 6}, {&A, 3},
	&A, true, &B, PLACEMENT_ACKNOWLEDGE},
    {"this one, own batch, counted before", 3, OWN, {0}, {&A, 3}, &A, true,
	NULL, PLACEMENT_ADD},
    {"this one, not counted", 4, ADOPTED, {0}, {&A, 3}, &A, true, NULL,
	PLACEMENT_FOREIGN},
    {"this one, own batch, not counted", 4, OWN, {0}, {&A, 3}, &A, true, NULL,
	PLACEMENT_FOREIGN},
};

static enum placement
decide(const struct placement_case *c, struct window *w)
{
	const struct control_checkpoint batch = {.consumer = A,
	    .seq = c->seq,
	    .adopted = c->of == ADOPTED || c->of == FULL};
	/* A row that is not known is not one of any consumer. */
	const struct placement_row row = {.known = c->row.consumer != NULL,
	    .consumer = c->row.consumer != NULL ? *c->row.consumer : A,
	    .row = c->row.row};
	struct window committing = {0};

	if (c->filling.consumer != NULL) {
		window_open(w, c->filling.consumer, &B, false, 0);
		w->last = c->filling.last;
	}
	if (c->committing != NULL)
		window_open(&committing, c->committing, &B, false, 0);
	return placement_of(&(struct placement_facts){.batch = &batch,
	    .filling = w,
	    .committing = c->committing == NULL ? NULL : &committing,
	    .row = &row,
	    .registered = c->unregistered == NULL,
	    .asked = c->unregistered == NULL ? &B : c->unregistered,
	    .may_ask = c->may_ask,
	    .fits = c->of != LARGE,
	    .adopter_takes = c->of == ADOPTED});
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
