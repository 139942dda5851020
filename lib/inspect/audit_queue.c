/* Reads a queue as of one moment, for an audit. */
#include "inspect/audit_queue.h"

#include "base/failpoint.h"
#include "base/hash.h"
#include "inspect/list_cursor.h"
#include "inspect/queue_sync.h"

enum { CATCH_UP = 8 };

/* The oldest payloads of a list: how many, and their hash. */
struct part {
	uint64_t n, hash;
};

/* Where payloads are added up. */
struct place {
	struct deadletter_tally *tally; /* NULL: nowhere */
	bool rejected;
	struct expectation_log *log; /* of a batch; NULL: of a list */
};

static struct audit_queue *at(struct audit *a);
static enum audit_state read_moment(struct audit *a);
static enum audit_state survey(
    struct audit *a, const struct part *ready, const struct part *rejected);
static enum audit_state add_newer(struct audit *a,
    const char *payload(const struct queue_surveyed *, size_t, size_t *),
    size_t i, const struct place *to);
static int add_payload(
    struct audit *a, const struct place *to, const char *payload, size_t len);
static enum audit_state survey_again(struct audit *a);
static enum audit_state take_snapshot(
    struct audit *a, uint64_t ready, uint64_t rejected, struct snapshot *s);
static enum audit_state read_batches(struct audit *a);
static enum audit_state compare_list(
    struct audit *a, const struct queue_list *list, const struct part *was);
static enum audit_state read_list(struct audit *a,
    const struct queue_list *list, uint64_t length, const struct place *to,
    struct part *part);
static enum audit_state add_page(struct audit *a, struct list_cursor *c,
    const struct place *to, struct part *part);

static struct audit_queue *
at(struct audit *a)
{
	return &a->queues[a->at];
}

/* All of it from one server: batches that are known from another one may be
 * others with the same names. */
enum audit_state
audit_queue_read(struct audit *a)
{
	enum queue_state state = queue_sync_idle(at(a)->q, a->wait_ms);
	enum audit_state result;

	if (state != QUEUE_IDLE)
		return audit_queue_failed(state);
	if (at(a)->run != queue_status(at(a)->q)->run)
		snapshot_free(&at(a)->snapshot);
	at(a)->run = queue_status(at(a)->q)->run;
	result = read_moment(a);
	if (result == AUDIT_DONE && at(a)->run != queue_status(at(a)->q)->run)
		return AUDIT_MOVING;
	return result;
}

/* The moment is that of the first survey. */
static enum audit_state
read_moment(struct audit *a)
{
	static const struct queue_list ready = {.kind = QUEUE_READY},
				       rejected = {.kind = QUEUE_REJECTED};
	struct place waiting = {.tally = &at(a)->ready},
		     dead = {.tally = &at(a)->rejected, .rejected = true};
	struct part r = {0}, d = {0};
	enum audit_state state;

	at(a)->ready = at(a)->rejected = (struct deadletter_tally){0};
	if (a->expectation != NULL)
		expectation_forget_queue(a->expectation);
	state = read_list(a, &ready, UINT64_MAX, &waiting, &r);
	if (state == AUDIT_DONE)
		state = read_list(a, &rejected, UINT64_MAX, &dead, &d);
	FAILPOINT("audit-listed");
	if (state == AUDIT_DONE)
		state = survey(a, &r, &d);
	FAILPOINT("audit-surveyed");
	if (state == AUDIT_DONE)
		state = read_batches(a);
	if (state == AUDIT_DONE)
		state = compare_list(a, &rejected, &d);
	if (state == AUDIT_DONE)
		state = compare_list(a, &ready, &r);
	return state == AUDIT_DONE ? survey_again(a) : state;
}

/* Tallies what is newer than the parts of the lists that were read. */
static enum audit_state
survey(struct audit *a, const struct part *ready, const struct part *rejected)
{
	const struct place waiting = {.tally = &at(a)->ready},
			   dead = {.tally = &at(a)->rejected, .rejected = true};
	const struct queue_surveyed *s;
	enum audit_state state =
	    take_snapshot(a, ready->n, rejected->n, &at(a)->snapshot);

	if (state != AUDIT_DONE)
		return state;
	s = queue_surveyed(at(a)->q);
	if (s->ready != ready->n + s->newer_ready ||
	    s->rejected != rejected->n + s->newer_rejected)
		return AUDIT_MOVING;
	for (size_t i = 0; i < s->newer_ready && state == AUDIT_DONE; i++)
		state = add_newer(a, queue_surveyed_ready, i, &waiting);
	for (size_t i = 0; i < s->newer_rejected && state == AUDIT_DONE; i++)
		state = add_newer(a, queue_surveyed_rejected, i, &dead);
	return state;
}

static enum audit_state
add_newer(struct audit *a,
    const char *payload(const struct queue_surveyed *, size_t, size_t *),
    size_t i, const struct place *to)
{
	size_t len = 0;
	const char *text = payload(queue_surveyed(at(a)->q), i, &len);

	return add_payload(a, to, text, len) < 0 ? AUDIT_MEMORY : AUDIT_DONE;
}

/* 0, or -1 with errno ENOMEM. */
static int
add_payload(
    struct audit *a, const struct place *to, const char *payload, size_t len)
{
	struct increment inc;

	if (to->tally == NULL)
		return 0;
	if (deadletter_tally_add(
		to->tally, a->key, &a->scratch, payload, len, &inc) < 0)
		return -1;
	if (a->expectation == NULL || inc.value == 0)
		return 0;
	if (to->log != NULL)
		return expectation_log_add(to->log, a->expectation, &inc);
	if (to->rejected)
		expectation_add_rejected(a->expectation, &inc);
	else
		expectation_add_waiting(a->expectation, &inc);
	return 0;
}

static enum audit_state
survey_again(struct audit *a)
{
	struct snapshot after = {0};
	enum audit_state state =
	    take_snapshot(a, UINT64_MAX, UINT64_MAX, &after);

	if (state == AUDIT_DONE &&
	    !snapshot_is_stable(&at(a)->snapshot, &after))
		state = AUDIT_MOVING;
	snapshot_free(&after);
	return state;
}

static enum audit_state
take_snapshot(
    struct audit *a, uint64_t ready, uint64_t rejected, struct snapshot *s)
{
	enum queue_state state = queue_sync_idle(at(a)->q, a->wait_ms);

	if (state == QUEUE_IDLE) {
		if (queue_survey(at(a)->q, ready, rejected) < 0)
			return AUDIT_MEMORY;
		state = queue_sync_done(at(a)->q, a->wait_ms);
	}
	if (state != QUEUE_DONE)
		return audit_queue_failed(state);
	return snapshot_take(s, at(a)->q) < 0 ? AUDIT_MEMORY : AUDIT_DONE;
}

/* Reads the batches that are not known from an earlier round. */
static enum audit_state
read_batches(struct audit *a)
{
	for (size_t i = 0; i < at(a)->snapshot.n_batches; i++) {
		struct snapshot_batch *b = &at(a)->snapshot.batches[i];
		struct queue_list list = {.kind = QUEUE_BATCH,
		    .consumer = b->consumer,
		    .seq = b->seq};
		struct place to = {.tally = &b->tally, .log = &b->log};
		struct part part = {0};
		enum audit_state state;

		if (b->known)
			continue;
		b->tally = (struct deadletter_tally){0};
		state = read_list(a, &list, b->length, &to, &part);
		if (state != AUDIT_DONE)
			return state;
		expectation_log_end(&b->log);
		b->known = true;
	}
	return AUDIT_DONE;
}

/* Is the oldest part of the list what it was? */
static enum audit_state
compare_list(
    struct audit *a, const struct queue_list *list, const struct part *was)
{
	static const struct place nowhere;
	struct part is = {0};
	enum audit_state state = read_list(a, list, was->n, &nowhere, &is);

	return state == AUDIT_DONE && is.hash != was->hash ? AUDIT_MOVING
							   : state;
}

/* Adds the `length` oldest payloads to the place and to *part;
 * AUDIT_MOVING if they are fewer.  UINT64_MAX: all, also those that come
 * meanwhile, unless they come as fast as they are read. */
static enum audit_state
read_list(struct audit *a, const struct queue_list *list, uint64_t length,
    const struct place *to, struct part *part)
{
	struct list_cursor c = {.q = at(a)->q,
	    .wait_ms = a->wait_ms,
	    .list = *list,
	    .max = QUEUE_PEEK_MAX - 1};
	enum audit_state state = AUDIT_DONE;
	enum queue_state why;
	int catch_up = length == UINT64_MAX ? CATCH_UP : 0;
	bool more = true;

	list_cursor_start(&c, length);
	while (more && state == AUDIT_DONE) {
		switch (list_cursor_step(&c, &why)) {
		case LIST_CURSOR_PAGE: state = add_page(a, &c, to, part); break;
		case LIST_CURSOR_END:
			more = catch_up-- > 0 && c.end < c.length;
			c.end = more ? c.length : c.end;
			break;
		case LIST_CURSOR_SHIFTED: state = AUDIT_MOVING; break;
		case LIST_CURSOR_FAILED: state = audit_queue_failed(why); break;
		case LIST_CURSOR_MEMORY: state = AUDIT_MEMORY; break;
		}
	}
	if (state == AUDIT_DONE && length != UINT64_MAX && part->n != length)
		state = AUDIT_MOVING;
	list_cursor_free(&c);
	return state;
}

static enum audit_state
add_page(struct audit *a, struct list_cursor *c, const struct place *to,
    struct part *part)
{
	for (size_t i = 0; i < c->n; i++) {
		size_t len;
		const char *payload = list_cursor_payload(c, i, &len);

		part->n++;
		part->hash = hash_add(&a->seed, part->hash, payload, len);
		if (add_payload(a, to, payload, len) < 0)
			return AUDIT_MEMORY;
	}
	return list_cursor_advance(c, c->n, c->n - 1) < 0 ? AUDIT_MEMORY
							  : AUDIT_DONE;
}

enum audit_state
audit_queue_failed(enum queue_state state)
{
	return state == QUEUE_FAULT ? AUDIT_REDIS_FAULT : AUDIT_REDIS;
}
