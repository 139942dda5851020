/* Withdraws, labels and shows dead letters, page by page, list by list. */
#include "inspect/rejected_pass.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "inspect/deadletter.h"
#include "inspect/queue_sync.h"
#include "queue/shards.h"

enum { RESTARTS_MAX = 1000 };

static void aim(struct forwarder *f, const struct rejected_pass *p,
    const char *url, const char *queue);
static enum rejected_result label_letters(struct rejected_pass *p);
static int prepare_labels(struct rejected_pass *p);
static enum rejected_result go_through(struct rejected_pass *p);
static enum rejected_result go_through_queue(struct rejected_pass *p);
static void begin_queue(struct rejected_pass *p);
static enum rejected_result follow(struct rejected_pass *p,
    enum list_cursor_state state, enum queue_state call);
static enum rejected_result handle_page(struct rejected_pass *p);
static enum rejected_result handle(struct rejected_pass *p, size_t i);
static void keep_shown(struct rejected_pass *p, size_t i, enum fault fault);
static const char *republish_to(
    struct rejected_pass *p, size_t i, const struct increment *inc);
static enum rejected_result forward(struct rejected_pass *p);
static size_t pick(struct rejected_pass *p, size_t *ret_newest);
static enum rejected_result withdraw(
    struct rejected_pass *p, size_t picked, size_t newest);
static enum rejected_result call_withdraw(
    struct rejected_pass *p, uint64_t older, size_t picked);
static enum rejected_result look_again(struct rejected_pass *p);
static enum rejected_result start_over(
    struct rejected_pass *p, uint64_t missed);
static enum rejected_result fail(
    struct rejected_pass *p, enum queue_state state);

int
rejected_pass_open(struct rejected_pass *p, const char *url, const char *queue,
    uint64_t told, char ret_why[REASON_MAX])
{
	int status = shard_queues_open(
	    &p->queues, url, queue, told, p->wait_ms, ret_why);

	if (status != 0)
		return status;
	p->ends = calloc(p->queues.n, sizeof *p->ends);
	if (p->ends == NULL) {
		shard_queues_close(&p->queues);
		reason_set(ret_why, LOG_NO_MEMORY);
		return EXIT_TEMPFAIL;
	}
	for (size_t i = 0; i < p->queues.n; i++)
		p->ends[i] = UINT64_MAX;
	p->cursor = (struct list_cursor){.wait_ms = p->wait_ms,
	    .list = {.kind = QUEUE_REJECTED, .timed = p->timed},
	    .max = QUEUE_PEEK_MAX - 1};
	aim(&p->forwarder, p, url, queue);
	return 0;
}

static void
aim(struct forwarder *f, const struct rejected_pass *p, const char *url,
    const char *queue)
{
	unsigned i;

	f->url = url;
	f->wait_ms = p->wait_ms;
	f->shards = p->queues.shards;
	if (f->shards > 1 && !shard_parse(queue, f->queue, &i))
		snprintf(f->queue, sizeof f->queue, "%s", queue);
}

void
rejected_pass_restart(struct rejected_pass *p, uint64_t left)
{
	message_id_restore(&p->selection.ids);
	selection_restart(&p->selection, left);
}

enum rejected_result
rejected_pass_run(struct rejected_pass *p, enum rejected_action action)
{
	enum rejected_result result = REJECTED_DONE;

	p->action = action;
	p->selection.valid_only = action == REJECTED_REPUBLISH;
	if (action == REJECTED_REPUBLISH && p->queues.shards > 1)
		result = label_letters(p);
	if (result == REJECTED_DONE)
		result = go_through(p);
	return result == REJECTED_DONE && p->unlabelled > 0 ? REJECTED_TAKEN
							    : result;
}

static enum rejected_result
label_letters(struct rejected_pass *p)
{
	uint64_t left = p->selection.left;
	enum rejected_result result;

	p->status = prepare_labels(p);
	if (p->status != 0)
		return REJECTED_FAILED;
	p->labelling = true;
	result = go_through(p);
	p->labelling = false;
	if (result == REJECTED_DONE)
		rejected_pass_restart(p, left);
	return result;
}

/* What another shard is told must not be lost with a label, so replicas have
 * labels first; and a label for one of another number of shards is for none.
 * 0, or an exit status with why. */
static int
prepare_labels(struct rejected_pass *p)
{
	for (size_t i = 0; i < p->queues.n; i++)
		queue_replicate(p->queues.list[i].q, NULL);
	return p->queues.noted ? 0
			       : shard_queues_note(&p->queues, p->forwarder.url,
				     p->forwarder.queue, p->wait_ms, p->why);
}

/* What a queue has is looked at up to where it was the first time. */
static enum rejected_result
go_through(struct rejected_pass *p)
{
	enum rejected_result result = REJECTED_DONE;

	for (p->at = 0; p->at < p->queues.n && result == REJECTED_DONE; p->at++)
		result = go_through_queue(p);
	return result;
}

static enum rejected_result
go_through_queue(struct rejected_pass *p)
{
	enum rejected_result result = REJECTED_DONE;
	enum list_cursor_state state = LIST_CURSOR_PAGE;
	enum queue_state call = QUEUE_IDLE;
	struct list_cursor *c = &p->cursor;

	begin_queue(p);
	while (result == REJECTED_DONE && state != LIST_CURSOR_END &&
	       p->selection.left > 0) {
		state = list_cursor_step(c, &call);
		result = state == LIST_CURSOR_PAGE ? handle_page(p)
						   : follow(p, state, call);
	}
	/* One that was not looked at stays so. */
	if (result == REJECTED_DONE)
		p->ends[p->at] =
		    p->selection.left > 0 || c->length > 0 ? c->end : 0;
	return result;
}

static void
begin_queue(struct rejected_pass *p)
{
	p->cursor.q = p->queues.list[p->at].q;
	id_make(&p->self);
	p->seq = 0;
	p->before.selection = p->selection;
	p->before.moved = p->moved;
	p->before.doubtful = p->doubtful;
	p->before.unlabelled = p->unlabelled;
	list_cursor_start(&p->cursor, p->ends[p->at]);
}

static enum rejected_result
follow(struct rejected_pass *p, enum list_cursor_state state,
    enum queue_state call)
{
	switch (state) {
	case LIST_CURSOR_PAGE:
	case LIST_CURSOR_END: return REJECTED_DONE;
	case LIST_CURSOR_SHIFTED: return start_over(p, 0);
	case LIST_CURSOR_FAILED: return fail(p, call);
	case LIST_CURSOR_MEMORY: break;
	}
	return REJECTED_MEMORY;
}

/* -- a page --------------------------------------------------------------- */

/* Shows, counts, labels or withdraws the letters of a page that are chosen. */
static enum rejected_result
handle_page(struct rejected_pass *p)
{
	enum rejected_result result = REJECTED_DONE;
	size_t newest, picked;

	p->forwarder.n = p->page.n_shown = 0;
	for (size_t i = 0; i < p->cursor.n && result == REJECTED_DONE; i++)
		result = handle(p, i);
	if (result == REJECTED_DONE && p->page.n_shown > 0)
		result = p->show(p->ctx, p->page.shown, p->page.n_shown);
	if (result == REJECTED_DONE)
		result = forward(p);
	if (result != REJECTED_DONE)
		return result;
	picked = pick(p, &newest);
	return withdraw(p, picked, newest);
}

/* Decides where letter i of the page is to go. */
static enum rejected_result
handle(struct rejected_pass *p, size_t i)
{
	const char *queue = p->queues.list[p->at].name, *payload;
	struct increment inc;
	enum fault fault;
	size_t len;
	int chosen;

	payload = list_cursor_payload(&p->cursor, i, &len);
	fault = deadletter_judge(&p->scratch, payload, len, &inc);
	if (fault == FAULT_NONE &&
	    deadletter_is_elsewhere(queue, p->queues.shards, &inc))
		fault = FAULT_WRONG_SHARD;
	chosen = selection_choose(&p->selection, payload, len, fault);
	if (fault == FAULT_UNAVAILABLE || chosen < 0)
		return REJECTED_MEMORY;
	if (chosen && p->show != NULL)
		keep_shown(p, i, fault);
	p->page.to[i] = NULL;
	if (chosen && p->action == REJECTED_DROP)
		p->page.to[i] = QUEUE_TO_NOBODY;
	if (chosen && p->action == REJECTED_REPUBLISH)
		p->page.to[i] = republish_to(p, i, &inc);
	return REJECTED_DONE;
}

static void
keep_shown(struct rejected_pass *p, size_t i, enum fault fault)
{
	struct rejected_letter *l = &p->page.shown[p->page.n_shown++];

	l->queue = p->queues.n > 1 ? p->queues.list[p->at].name : NULL;
	l->payload = list_cursor_payload(&p->cursor, i, &l->len);
	l->fault = fault;
	l->ms = p->timed ? list_cursor_ms(&p->cursor, i) : 0;
}

static const char *
republish_to(struct rejected_pass *p, size_t i, const struct increment *inc)
{
	unsigned shards = p->queues.shards;
	struct label label;
	size_t len;
	const char *payload = list_cursor_payload(&p->cursor, i, &len);
	enum label_way way = label_find_way(
	    payload, len, inc, p->queues.list[p->at].name, shards, &label);

	if (p->labelling) {
		if (way != LABEL_WAY_LABEL)
			return NULL;
		label_next(&p->labels, shard_of(inc->key.bytes, shards),
		    p->page.labels[i]);
		return p->page.labels[i];
	}
	switch (way) {
	case LABEL_WAY_READY: return QUEUE_TO_READY;
	case LABEL_WAY_LABEL: p->unlabelled++; break;
	case LABEL_WAY_SHARD:
		forwarder_add(&p->forwarder, i, &label, inc);
		break;
	case LABEL_WAY_NO_ROOM: p->selection.invalid++; break;
	case LABEL_WAY_UNKNOWN: p->doubtful++; break;
	}
	return NULL;
}

/* Publishes labelled letters; those that their shards have are dropped. */
static enum rejected_result
forward(struct rejected_pass *p)
{
	struct forwarder *f = &p->forwarder;

	if (f->n == 0)
		return REJECTED_DONE;
	p->status = forwarder_send(f, p->why);
	if (p->status != 0)
		return REJECTED_FAILED;
	FAILPOINT("rejected-forwarded");
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i].state == FORWARD_DONE)
			p->page.to[f->list[i].index] = QUEUE_TO_NOBODY;
		else
			p->doubtful++;
	return REJECTED_DONE;
}

/* Moves what is to go to the beginning of page.to, and finds the newest letter
 * that stays, 0 if none does.  Returns how many go. */
static size_t
pick(struct rejected_pass *p, size_t *ret_newest)
{
	size_t n = 0;

	*ret_newest = 0;
	for (size_t i = 0; i < p->cursor.n; i++) {
		if (p->page.to[i] == NULL) {
			*ret_newest = i;
			continue;
		}
		p->page.to[n] = p->page.to[i];
		p->page.index[n++] = list_cursor_index(&p->cursor, i);
	}
	return n;
}

/* Withdraws or labels what was picked, and goes on behind the page. */
static enum rejected_result
withdraw(struct rejected_pass *p, size_t picked, size_t newest)
{
	struct list_cursor *c = &p->cursor;
	uint64_t older = list_cursor_older(c), n = c->n;
	enum rejected_result result;

	if (p->labelling ? list_cursor_advance(c, n, n - 1) < 0
			 : list_cursor_advance(c, n - picked, newest) < 0)
		return REJECTED_MEMORY;
	if (picked == 0)
		return REJECTED_DONE;
	result = call_withdraw(p, older, picked);
	if (result != REJECTED_DONE)
		return result;
	n = queue_withdrawn(c->q)->n;
	if (!p->labelling)
		p->moved += n;
	if (n < picked)
		return start_over(p, p->labelling ? 0 : picked - n);
	return p->labelling ? look_again(p) : REJECTED_DONE;
}

static enum rejected_result
call_withdraw(struct rejected_pass *p, uint64_t older, size_t picked)
{
	struct queue *q = p->cursor.q;
	struct queue_picks picks = {
	    .index = p->page.index, .to = p->page.to, .n = picked};
	enum queue_state state;

	if (queue_withdraw(q, &p->self, ++p->seq, older, &picks) < 0)
		return REJECTED_MEMORY;
	FAILPOINT("rejected-sent");
	state = queue_sync_done(q, p->wait_ms);
	if (state != QUEUE_DONE)
		return fail(p, state);
	FAILPOINT("rejected-withdrawn");
	return queue_withdrawn(q)->known ? REJECTED_DONE : REJECTED_UNKNOWN;
}

/* The newest letter that was read may be a labelled one. */
static enum rejected_result
look_again(struct rejected_pass *p)
{
	enum queue_state call = QUEUE_IDLE;
	enum list_cursor_state state =
	    list_cursor_look_again(&p->cursor, &call);

	return follow(p, state, call);
}

/*
 * Begins again, since others have taken from the list: places have changed,
 * and `missed` of the letters picked were no longer there.  That can't be
 * done after letters were shown or ids were used.
 */
static enum rejected_result
start_over(struct rejected_pass *p, uint64_t missed)
{
	if (p->show != NULL || p->selection.ids.n > 0 ||
	    ++p->restarts > RESTARTS_MAX)
		return REJECTED_TAKEN;
	p->selection = p->before.selection;
	p->selection.left -= p->moved - p->before.moved;
	p->doubtful = p->before.doubtful;
	p->unlabelled = p->before.unlabelled;
	list_cursor_start(&p->cursor, p->cursor.end + missed);
	return REJECTED_DONE;
}

static enum rejected_result
fail(struct rejected_pass *p, enum queue_state state)
{
	const struct shard_queue *queue = &p->queues.list[p->at];
	const char *why = queue_status(queue->q)->why;

	p->status = state == QUEUE_FAULT ? EXIT_CONFIG : EXIT_TEMPFAIL;
	if (p->queues.n > 1)
		reason_set(p->why, "redis: queue %s: %s", queue->name, why);
	else
		reason_set(p->why, "redis: %s", why);
	return REJECTED_FAILED;
}

void
rejected_pass_close(struct rejected_pass *p)
{
	shard_queues_close(&p->queues);
	free(p->ends);
	forwarder_close(&p->forwarder);
	list_cursor_free(&p->cursor);
	selection_free(&p->selection);
	buf_free(&p->scratch);
}
