/* What an acknowledger is asked to do, and what it knows. */
#include "flush/acknowledger.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"

void
acknowledger_add(struct acknowledger *a, struct window *w)
{
	ack_queue_add(&a->acks, w, clock_ms());
	task_queue_add(&a->tasks, ACKNOWLEDGER_ACKNOWLEDGE);
}

int
acknowledger_add_batch(struct acknowledger *a, const struct id *consumer,
    const struct id *self, uint64_t seq, const struct batch *b)
{
	if (ack_queue_add_batch(&a->acks, consumer, self, seq, b, clock_ms()) <
	    0)
		return -1;
	task_queue_add(&a->tasks, ACKNOWLEDGER_ACKNOWLEDGE);
	return 0;
}

void
acknowledger_ask(struct acknowledger *a, const struct id *consumer)
{
	a->asked = *consumer;
	task_queue_add(&a->tasks, ACKNOWLEDGER_ASK);
}

void
acknowledger_list(struct acknowledger *a, const struct id *after)
{
	a->list.after = *after;
	task_queue_add(&a->tasks, ACKNOWLEDGER_LIST);
}

void
acknowledger_drop(
    struct acknowledger *a, const struct id *consumer, uint64_t row)
{
	size_t i = 0;

	while (i < a->n_drops && !id_equal(&a->drops[i].consumer, consumer))
		i++;
	if (i < a->n_drops && a->drops[i].row <= row)
		return;
	assert(i < ACKNOWLEDGER_DROPS_MAX);
	a->drops[i] = (struct acknowledger_drop){*consumer, row};
	if (i == a->n_drops)
		a->n_drops++;
}

void
acknowledger_restore(struct acknowledger *a, const struct queue_restore *r,
    enum acknowledger_task task)
{
	struct queue_restore *of = &a->restore[task - ACKNOWLEDGER_RESTORE];

	acknowledger_drop(a, &r->consumer, r->row);
	*of = *r;
	of->database = a->database;
	task_queue_add(&a->tasks, task);
}

const struct queue_restore *
acknowledger_restores(const struct acknowledger *a, enum acknowledger_task task)
{
	return &a->restore[task - ACKNOWLEDGER_RESTORE];
}

void
acknowledger_identify(struct acknowledger *a, const struct id *database,
    const struct queue_ledger *ledger)
{
	a->identifies = true;
	a->database = *database;
	a->ledger = *ledger;
	task_queue_add(&a->tasks, ACKNOWLEDGER_IDENTIFY);
}

bool
acknowledger_is_right(const struct acknowledger *a)
{
	return !a->noted.noted || id_equal(&a->noted.database, &a->database);
}

int
acknowledger_explain(const struct acknowledger *a, enum acknowledger_news news,
    char ret_why[REASON_MAX])
{
	if (news == ACKNOWLEDGER_FAULT) {
		reason_set(ret_why, "redis: %s", queue_status(a->q)->why);
		return EXIT_CONFIG;
	}
	batch_history_explain(&a->back, a->input->queue, ret_why);
	return EXIT_TEMPFAIL;
}
