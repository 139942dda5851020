/* Finds ledger rows that went back, and restores what Redis has kept. */
#include "flush/going_back.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"

static void list(
    struct going_back *g, struct acknowledger *a, const struct id *after);
static void restore_next(struct going_back *g, struct acknowledger *a);
static void note(struct going_back *g, const struct queue_restore *of,
    const struct queue_restored *how);
static void end(struct going_back *g, const struct acknowledger *a);
static enum acknowledger_task task_for(const struct window *w);

int64_t
going_back_due(const struct going_back *g, const struct committer *c)
{
	if (g->state != GOING_BACK_WAIT || !c->bound)
		return IO_FOREVER;
	return g->connection == postgres_status(c->pg)->connections ? g->due_ms
								    : 0;
}

void
going_back_start(struct going_back *g, struct committer *c,
    struct acknowledger *a, int64_t now_ms)
{
	static const struct id nil;

	if (now_ms < going_back_due(g, c))
		return;
	g->connection = postgres_status(c->pg)->connections;
	list(g, a, &nil);
}

static void
list(struct going_back *g, struct acknowledger *a, const struct id *after)
{
	g->state = GOING_BACK_LIST;
	acknowledger_list(a, after);
}

void
going_back_listed(
    struct going_back *g, struct committer *c, struct acknowledger *a)
{
	if (a->list.n == 0) {
		end(g, a);
		return;
	}
	g->list = a->list;
	g->state = GOING_BACK_ROWS;
	committer_rows(c, g->list.consumers, g->list.n);
}

/* Without rows it was no primary, or another database. */
void
going_back_rows(
    struct going_back *g, const struct committer *c, struct acknowledger *a)
{
	struct id consumer;
	uint64_t row;

	for (size_t i = 0; i < g->list.n; i++)
		g->rows[i] = UINT64_MAX;
	/* They come in the order of the consumers, so each is found at the
	 * first look; a server with another order is slower. */
	for (size_t i = 0; statements_row_of(c->pg, i, &consumer, &row) == 0;
	     i++)
		for (size_t j = 0; j < g->list.n; j++) {
			size_t at = (i + j) % g->list.n;

			if (id_equal(&g->list.consumers[at], &consumer)) {
				g->rows[at] = row;
				break;
			}
		}
	g->at = 0;
	FAILPOINT("flush-rows");
	restore_next(g, a);
}

static void
restore_next(struct going_back *g, struct acknowledger *a)
{
	const struct acknowledger_list *l = &g->list;

	while (g->at < l->n && g->rows[g->at] >= l->numbers[g->at].last)
		g->at++;
	if (g->at < l->n) {
		struct queue_restore r = {.consumer = l->consumers[g->at],
		    .row = g->rows[g->at],
		    .looked = true,
		    .seen = l->numbers[g->at]};

		g->state = GOING_BACK_RESTORE;
		acknowledger_restore(a, &r, ACKNOWLEDGER_RESTORE_SEEN);
	} else if (l->more) {
		list(g, a, &l->consumers[l->n - 1]);
	} else {
		end(g, a);
	}
}

void
going_back_seen(struct going_back *g, struct acknowledger *a)
{
	note(g, acknowledger_restores(a, ACKNOWLEDGER_RESTORE_SEEN),
	    &a->restored);
	g->again |= a->restored.changed;
	g->at++;
	restore_next(g, a);
}

static void
end(struct going_back *g, const struct acknowledger *a)
{
	int64_t ms = GOING_BACK_MINUTE_MS;

	if (a->keep_ms > 0 && a->keep_ms / 2 < ms)
		ms = a->keep_ms / 2;
	if (ms < GOING_BACK_LEAST_MS / 2 || g->again)
		ms = GOING_BACK_LEAST_MS / 2;
	g->looked |= !g->again;
	g->again = false;
	g->state = GOING_BACK_WAIT;
	g->due_ms = clock_ms() + ms;
}

static void
note(struct going_back *g, const struct queue_restore *of,
    const struct queue_restored *how)
{
	if (how->moved == 0 && how->lost == 0 && how->back == 0)
		return;
	g->found = true;
	g->consumer = of->consumer;
	g->row = of->row;
	g->how = *how;
	g->steps++;
}

bool
going_back_news(
    struct going_back *g, const struct committer *c, char ret_why[REASON_MAX])
{
	char consumer[ID_TEXT + 1];

	if (g->found) {
		id_format(&g->consumer, consumer);
		reason_set(ret_why,
		    "ledger: consumer %s went back to batch %" PRIu64
		    ": %" PRIu64 " lost, %" PRIu64 " restored (--keep)",
		    consumer, g->row, g->how.lost, g->how.moved);
		g->found = false;
		return true;
	}
	if (c->lost == g->plain_lost)
		return false;
	reason_set(ret_why,
	    "ledger: went back; %" PRIu64 " windows of plain input lost",
	    c->lost - g->plain_lost);
	g->steps++;
	g->plain_lost = c->lost;
	return true;
}

void
going_back_window(struct acknowledger *a, const struct window *w, uint64_t row)
{
	struct queue_restore r = {.consumer = w->consumer,
	    .row = row,
	    .known = w->first - 1,
	    .speaker = w->self};

	acknowledger_restore(a, &r, task_for(w));
}

const char *
going_back_swept(
    struct going_back *g, const struct control_checkpoint *batch, uint64_t row)
{
	note(g,
	    &(struct queue_restore){.consumer = batch->consumer, .row = row},
	    &(struct queue_restored){.lost = batch->seq - row});
	return "stdin: a batch that was counted, but Postgres went back";
}

bool
going_back_restored(
    struct going_back *g, const struct acknowledger *a, const struct window *w)
{
	const struct queue_restore *r = acknowledger_restores(a, task_for(w));

	note(g, r, &a->restored);
	return a->restored.oldest != 0 && a->restored.oldest <= r->known;
}

void
going_back_adopt(struct adopter *from, struct acknowledger *a)
{
	const struct adopted_range *r;

	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		r = &from->ranges.list[i];
		if (r->state == ADOPTED_LOST)
			acknowledger_drop(a, &r->window->consumer, r->row);
	}
	r = adopter_lost(from);
	if (r != NULL)
		going_back_window(a, r->window, r->row);
}

void
going_back_adopted(
    struct going_back *g, struct adopter *from, const struct acknowledger *a)
{
	adopter_restored(from, going_back_restored(g, a, from->lost->window));
}

static enum acknowledger_task
task_for(const struct window *w)
{
	return w->adopted ? ACKNOWLEDGER_RESTORE_ADOPTED : ACKNOWLEDGER_RESTORE;
}
