/* Makes flush marks, acknowledges committed batches, renews ownership. */
#include "flush/acknowledger.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/num.h"

static int64_t next_acknowledge(const struct acknowledger *a);
static int64_t next_mark(const struct acknowledger *a);
static int64_t next_round(const struct acknowledger *a);
static bool holds_any(const struct acknowledger *a);
static bool holds_batches(const struct acknowledger *a);
static bool has_batches(const struct window *w);
static void note_identify(struct acknowledger *a, enum queue_state state);
static enum task_queue_link link_of(enum queue_state state);
static enum acknowledger_news finish(
    struct acknowledger *a, enum acknowledger_task task);
static enum acknowledger_news acknowledged(struct acknowledger *a);
static enum acknowledger_news marked(struct acknowledger *a);
static enum acknowledger_news back(struct acknowledger *a,
    const struct id *consumer, uint64_t seq, bool known, uint64_t last);
static void copy_list(struct acknowledger *a);
static void was_restored(struct acknowledger *a, enum acknowledger_task task);
static void note_connection(struct acknowledger *a);
static void begin(struct acknowledger *a);
static void drop(struct acknowledger *a);
static int call(struct acknowledger *a, enum acknowledger_task task);
static void start_round(struct acknowledger *a);
static void hold(struct acknowledger *a, const struct id *consumer,
    const struct id *self, int64_t opened_ms, int64_t now_ms);
static void hold_one(
    struct acknowledger *a, const struct id *consumer, const struct id *self);

void
acknowledger_open(struct acknowledger *a, struct queue *q,
    const struct window *windows, size_t n_windows,
    const struct flush_input *input, int64_t max_age_ms)
{
	*a = (struct acknowledger){.q = q,
	    .input = input,
	    .windows = windows,
	    .n_windows = n_windows,
	    .max_age_ms = max_age_ms,
	    .sums_since_ms = IO_FOREVER};
	task_queue_init(&a->tasks, clock_ms());
}

void
acknowledger_close(struct acknowledger *a)
{
	queue_close(a->q);
	ack_queue_free(&a->acks);
	a->q = NULL;
}

int64_t
acknowledger_wait(const struct acknowledger *a, struct pollfd *ret_pfd)
{
	int64_t due_ms = queue_wait(a->q, ret_pfd), now_ms = clock_ms();
	bool idle = queue_status(a->q)->idle;

	due_ms = task_queue_due(&a->tasks, idle, due_ms, now_ms);
	if (idle) {
		if (!task_queue_has(&a->tasks, ACKNOWLEDGER_ACKNOWLEDGE))
			due_ms = num_min(due_ms, next_acknowledge(a));
		due_ms = num_min(due_ms, next_mark(a));
		due_ms = num_min(due_ms, next_round(a));
		due_ms = num_min(due_ms, a->keeping.due_ms);
	}
	return due_ms;
}

/* A batch whose sums are not written waits for them, but for ever for nobody,
 * and not where room ends: Redis has it, and whoever adopts it has the sums. */
static int64_t
next_acknowledge(const struct acknowledger *a)
{
	int64_t added_ms;

	if (a->acks.n == 0 || a->tasks.held)
		return IO_FOREVER;
	added_ms = ack_queue_at(&a->acks, 0)->added_ms;
	return added_ms < a->sums_since_ms || a->acks.n >= ACK_QUEUE_MAX / 2
		   ? added_ms
		   : added_ms + ACKNOWLEDGER_SUMS_MS;
}

static int64_t
next_mark(const struct acknowledger *a)
{
	if (a->stalled)
		return IO_FOREVER;
	if (!id_equal(&a->marked, &a->input->consumer))
		return 0;
	/* Also when nothing is held any more: the last one is short. */
	return a->mark_ms + (holds_any(a) || !a->mark_idle
				    ? ACKNOWLEDGER_RENEW_MS
				    : ACKNOWLEDGER_IDLE_MS);
}

/* None begins while one is under way. */
static int64_t
next_round(const struct acknowledger *a)
{
	if (a->stalled || !a->input->ended || !holds_batches(a) ||
	    a->next_held < a->n_held)
		return IO_FOREVER;
	return a->claimed ? a->round_ms + ACKNOWLEDGER_RENEW_MS : 0;
}

static bool
holds_any(const struct acknowledger *a)
{
	return a->input->batch.lines > 0 || holds_batches(a);
}

static bool
holds_batches(const struct acknowledger *a)
{
	for (size_t i = 0; i < a->n_windows; i++)
		if (has_batches(&a->windows[i]))
			return true;
	return a->acks.n > 0;
}

static bool
has_batches(const struct window *w)
{
	return w->open && !w->plain && w->first > 0;
}

enum acknowledger_news
acknowledger_step(struct acknowledger *a, short revents)
{
	enum queue_state state = queue_step(a->q, revents);
	enum acknowledger_news news;
	unsigned task;

	if (state == QUEUE_FAULT)
		return ACKNOWLEDGER_FAULT;
	note_identify(a, state);
	task = task_queue_step(&a->tasks, link_of(state),
	    queue_status(a->q)->why[0] != '\0', clock_ms());
	news = finish(a, task);
	note_connection(a);
	begin(a);
	return news;
}

/* Once the database may be noted, more lines may be counted in it.  What Redis
 * has refused has noted nothing. */
static void
note_identify(struct acknowledger *a, enum queue_state state)
{
	bool noted = state == QUEUE_DONE ||
		     (state == QUEUE_LOST && queue_status(a->q)->sent);

	if (noted && a->tasks.running == ACKNOWLEDGER_IDENTIFY)
		a->ledger.known = false;
}

static enum task_queue_link
link_of(enum queue_state state)
{
	switch (state) {
	case QUEUE_DOWN:
	case QUEUE_FAULT: break;
	case QUEUE_IDLE: return TASK_QUEUE_IDLE;
	case QUEUE_CALLING: return TASK_QUEUE_CALLING;
	case QUEUE_DONE: return TASK_QUEUE_DONE;
	case QUEUE_REFUSED: return TASK_QUEUE_REFUSED;
	case QUEUE_LOST: return TASK_QUEUE_LOST;
	}
	return TASK_QUEUE_DOWN;
}

/* Reads the result of the task that was done. */
static enum acknowledger_news
finish(struct acknowledger *a, enum acknowledger_task task)
{
	switch (task) {
	case ACKNOWLEDGER_NO_TASK: break;
	case ACKNOWLEDGER_IDENTIFY:
		task_queue_remove(&a->tasks, task);
		a->noted = *queue_identified(a->q);
		a->tasks.held = !acknowledger_is_right(a);
		return ACKNOWLEDGER_IDENTIFIED;
	case ACKNOWLEDGER_ACKNOWLEDGE: return acknowledged(a);
	case ACKNOWLEDGER_MARK: return marked(a);
	case ACKNOWLEDGER_RENEW: FAILPOINT("flush-renewed"); break;
	case ACKNOWLEDGER_ASK:
		task_queue_remove(&a->tasks, task);
		a->registered = queue_asked(a->q)->registered;
		return ACKNOWLEDGER_ANSWER;
	case ACKNOWLEDGER_TRIM:
		task_queue_remove(&a->tasks, task);
		keeping_trimmed(&a->keeping, queue_trimmed(a->q), clock_ms());
		break;
	case ACKNOWLEDGER_LIST:
		task_queue_remove(&a->tasks, task);
		copy_list(a);
		return ACKNOWLEDGER_LISTED;
	case ACKNOWLEDGER_RESTORE:
		was_restored(a, task);
		return ACKNOWLEDGER_RESTORED;
	case ACKNOWLEDGER_RESTORE_ADOPTED:
		was_restored(a, task);
		return ACKNOWLEDGER_RESTORED_ADOPTED;
	case ACKNOWLEDGER_RESTORE_SEEN:
		was_restored(a, task);
		return ACKNOWLEDGER_RESTORED_SEEN;
	}
	return ACKNOWLEDGER_NOTHING;
}

/* A batch that Redis has never given to its consumer is not acknowledged by
 * this: it waits elsewhere, or is part of the ready list again. */
static enum acknowledger_news
acknowledged(struct acknowledger *a)
{
	const struct queue_acknowledged *r = queue_acknowledged(a->q);
	uint64_t seq = a->part.seqs[a->part.n - 1];

	FAILPOINT("flush-acknowledged");
	if (!r->known || r->last < seq)
		return back(a, a->part.consumer, seq, r->known, r->last);
	a->rejected += a->part.n_rejects;
	ack_queue_done(&a->acks, &a->part);
	if (a->keep_ms > 0)
		keeping_add(&a->keeping);
	if (a->acks.n == 0)
		task_queue_remove(&a->tasks, ACKNOWLEDGER_ACKNOWLEDGE);
	return ACKNOWLEDGER_NOTHING;
}

/* Of a consumer that this Redis does not know no batch would ever be
 * acknowledged, and without a mark it takes none. */
static enum acknowledger_news
marked(struct acknowledger *a)
{
	int64_t now_ms = clock_ms();

	FAILPOINT("flush-marked");
	task_queue_remove(&a->tasks, ACKNOWLEDGER_MARK);
	a->known_here = queue_marked(a->q)->known;
	if (a->known_here)
		a->stranger_ms = 0;
	else if (a->stranger_ms == 0)
		a->stranger_ms = now_ms;
	else if (now_ms - a->stranger_ms >= ACKNOWLEDGER_STRANGER_MS)
		return back(a, &a->marked, a->input->seq, false, 0);
	return ACKNOWLEDGER_NOTHING;
}

static enum acknowledger_news
back(struct acknowledger *a, const struct id *consumer, uint64_t seq,
    bool known, uint64_t last)
{
	a->steps_back++;
	a->back = (struct batch_history_loss){.consumer = *consumer,
	    .seq = seq,
	    .known = known,
	    .last = last,
	    .messages =
		batch_history_above(&a->input->history, consumer, last, seq)};
	return ACKNOWLEDGER_BACK;
}

static void
copy_list(struct acknowledger *a)
{
	const struct queue_numbered *found = queue_numbered(a->q);
	struct acknowledger_list *l = &a->list;

	l->n = 0;
	l->more = found->n == QUEUE_NUMBERS_MAX;
	for (size_t i = 0; i < found->n; i++)
		if (queue_numbered_at(
			found, i, &l->consumers[l->n], &l->numbers[l->n]) == 0)
			l->n++;
}

static void
was_restored(struct acknowledger *a, enum acknowledger_task task)
{
	task_queue_remove(&a->tasks, task);
	a->restored = *queue_restored(a->q);
	FAILPOINT("flush-restored");
}

/* A new connection may lead to another Redis. */
static void
note_connection(struct acknowledger *a)
{
	uint64_t connection = queue_status(a->q)->connections;

	if (a->identifies && a->connection != connection)
		task_queue_add(&a->tasks, ACKNOWLEDGER_IDENTIFY);
	a->connection = connection;
}

/* Begins the next task, if the connection is idle. */
static void
begin(struct acknowledger *a)
{
	int64_t now_ms = clock_ms();
	enum acknowledger_task task;

	if (!queue_status(a->q)->idle)
		return;
	drop(a);
	if (a->stalled) {
		a->stranger_ms = 0;
		task_queue_remove(&a->tasks, ACKNOWLEDGER_MARK);
	}
	if (now_ms >= next_mark(a)) {
		a->mark_ms = now_ms;
		if (!id_equal(&a->marked, &a->input->consumer))
			a->stranger_ms = 0;
		a->marked = a->input->consumer;
		task_queue_add(&a->tasks, ACKNOWLEDGER_MARK);
	}
	if (now_ms >= next_round(a))
		start_round(a);
	if (now_ms >= a->keeping.due_ms) {
		a->keeping.due_ms = IO_FOREVER;
		task_queue_add(&a->tasks, ACKNOWLEDGER_TRIM);
	}
	if (a->acks.n > 0 && now_ms < next_acknowledge(a))
		task_queue_remove(&a->tasks, ACKNOWLEDGER_ACKNOWLEDGE);
	else if (a->acks.n > 0)
		task_queue_add(&a->tasks, ACKNOWLEDGER_ACKNOWLEDGE);
	task = task_queue_next(&a->tasks, now_ms);
	/* A lack of memory may pass. */
	if (call(a, task) < 0)
		task_queue_pause(&a->tasks, task, now_ms);
	else
		task_queue_begin(&a->tasks, task);
}

/* Nothing is under way: before anything else is, what a ledger that went back
 * does not have is no longer to be acknowledged. */
static void
drop(struct acknowledger *a)
{
	for (size_t i = 0; i < a->n_drops; i++)
		ack_queue_drop(
		    &a->acks, &a->drops[i].consumer, a->drops[i].row);
	a->n_drops = 0;
	if (a->acks.n == 0)
		task_queue_remove(&a->tasks, ACKNOWLEDGER_ACKNOWLEDGE);
}

static int
call(struct acknowledger *a, enum acknowledger_task task)
{
	const struct acknowledger_held *h;

	switch (task) {
	case ACKNOWLEDGER_NO_TASK: break;
	case ACKNOWLEDGER_IDENTIFY:
		return queue_identify(
		    a->q, &a->database, QUEUE_NOTE, &a->ledger);
	case ACKNOWLEDGER_MARK:
		a->mark_idle = !holds_any(a);
		return FAILPOINT_AFTER("flush-mark-sent",
		    queue_mark(a->q, &a->marked,
			a->mark_idle ? ACKNOWLEDGER_IDLE_LIFE_MS
				     : QUEUE_OWNER_MS));
	case ACKNOWLEDGER_ACKNOWLEDGE:
		ack_queue_part(&a->acks, &a->part);
		return FAILPOINT_AFTER("flush-acknowledge-sent",
		    queue_acknowledge(a->q, a->part.consumer,
			&(struct queue_keep){a->keep_ms, a->database},
			a->part.seqs, a->part.n, a->part.rejects,
			a->part.n_rejects));
	case ACKNOWLEDGER_RENEW:
		h = &a->held[a->next_held++];
		if (a->next_held == a->n_held)
			task_queue_remove(&a->tasks, task);
		return FAILPOINT_AFTER("flush-renew-sent",
		    queue_renew(
			a->q, &h->self, &h->consumer, 1, QUEUE_RENEW_CLAIM));
	case ACKNOWLEDGER_ASK:
		return FAILPOINT_AFTER(
		    "flush-ask-sent", queue_ask(a->q, &a->asked));
	case ACKNOWLEDGER_TRIM:
		return FAILPOINT_AFTER(
		    "flush-trim-sent", keeping_trim(&a->keeping, a->q));
	case ACKNOWLEDGER_LIST: return queue_numbers(a->q, &a->list.after);
	case ACKNOWLEDGER_RESTORE:
	case ACKNOWLEDGER_RESTORE_ADOPTED:
	case ACKNOWLEDGER_RESTORE_SEEN:
		return queue_restore(a->q, acknowledger_restores(a, task));
	}
	return 0;
}

/* Lists the consumers to be renewed: each keeps its batches for another
 * QUEUE_OWNER_MS. */
static void
start_round(struct acknowledger *a)
{
	int64_t now_ms = clock_ms();

	a->n_held = a->next_held = 0;
	a->round_ms = now_ms;
	for (size_t i = 0; i < a->n_windows; i++) {
		const struct window *w = &a->windows[i];

		if (has_batches(w))
			hold(a, &w->consumer, &w->self, w->opened_ms, now_ms);
	}
	for (size_t i = 0; i < a->acks.n; i++) {
		const struct ack *ack = ack_queue_at(&a->acks, i);

		hold(a, &ack->consumer, &ack->self, ack->opened_ms, now_ms);
	}
	a->claimed = true;
	if (a->n_held > 0)
		task_queue_add(&a->tasks, ACKNOWLEDGER_RENEW);
}

static void
hold(struct acknowledger *a, const struct id *consumer, const struct id *self,
    int64_t opened_ms, int64_t now_ms)
{
	if (now_ms - opened_ms > a->max_age_ms)
		return;
	hold_one(a, consumer, self);
	/* Adopted batches, or none: it would be swept, with its mark. */
	hold_one(a, self, self);
}

static void
hold_one(
    struct acknowledger *a, const struct id *consumer, const struct id *self)
{
	for (size_t i = 0; i < a->n_held; i++)
		if (id_equal(&a->held[i].consumer, consumer))
			return;
	if (a->n_held < ACKNOWLEDGER_HELD_MAX)
		a->held[a->n_held++] =
		    (struct acknowledger_held){*consumer, *self};
}
