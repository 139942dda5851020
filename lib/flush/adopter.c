/* Counts the batches of adopted consumers, several in one statement. */
#include "flush/adopter.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/num.h"

/* So often may a row that stands where it must not move: more often than that
 * of an own consumer (committer.c), for the statement passes over a row that
 * the session of a dying owner has locked. */
enum { UNMOVED_MAX = 5 };

static enum committer_news finish(struct adopter *a, unsigned task);
static enum committer_news finish_read(struct adopter *a, int64_t now_ms);
static enum committer_news judge(
    struct adopter *a, struct adopted_range *r, uint64_t row, int64_t now_ms);
static enum committer_news finish_apply(struct adopter *a);
static enum committer_news begin(struct adopter *a);
static int begin_read(struct adopter *a, int64_t now_ms);
static enum committer_news begin_apply(struct adopter *a, int64_t now_ms);
static const struct id *database(const struct adopter *a);
static int call(struct adopter *a, const struct apply_many *of, size_t n);

void
adopter_open(struct adopter *a, struct postgres *pg, const char *queue,
    const struct committer *own, struct window *windows)
{
	*a = (struct adopter){
	    .pg = pg, .queue = queue, .own = own, .failed = windows};
	task_queue_init(&a->tasks, clock_ms());
	adopted_ranges_open(&a->ranges, windows);
}

void
adopter_close(struct adopter *a)
{
	postgres_close(a->pg);
	*a = (struct adopter){0};
}

int
adopter_add(struct adopter *a, const struct control_checkpoint *point,
    const struct id *self, const struct batch *b, int64_t age_ms)
{
	int64_t now_ms = clock_ms();

	/* Before the first one, nobody wanted the connection. */
	if (a->ranges.n == 0 && !postgres_status(a->pg)->idle)
		task_queue_init(&a->tasks, now_ms);
	return adopted_ranges_add(&a->ranges, point, self, b, age_ms, now_ms);
}

/* A connection that nobody wants is not made. */
int64_t
adopter_wait(const struct adopter *a, struct pollfd *ret_pfd)
{
	bool idle = postgres_status(a->pg)->idle;
	int64_t at_ms = postgres_wait(a->pg, ret_pfd), next_ms;

	if (!idle && a->ranges.n == 0) {
		*ret_pfd = (struct pollfd){.fd = -1};
		return IO_FOREVER;
	}
	if (!idle || a->tasks.held)
		return at_ms;
	next_ms = adopted_ranges_next(&a->ranges, clock_ms());
	return num_min(at_ms, next_ms);
}

bool
adopter_stalled(const struct adopter *a, int64_t now_ms)
{
	return a->waiting_ms != 0 &&
	       now_ms - a->waiting_ms >
		   cost_model_expected_ms(&a->own->cost, a->ranges.size) +
		       COMMITTER_PATIENCE_MS;
}

/* -- statements ----------------------------------------------------------- */

enum committer_news
adopter_step(struct adopter *a, short revents)
{
	enum postgres_state state;
	enum committer_news news;
	unsigned task;

	if (a->ranges.n == 0 && !postgres_status(a->pg)->idle)
		return COMMITTER_NOTHING;
	a->tasks.held = a->own->tasks.held;
	state = postgres_step(a->pg, revents);
	if (state == POSTGRES_FAULT)
		return COMMITTER_FAULT;
	task = task_queue_step(&a->tasks, committer_link(state),
	    postgres_status(a->pg)->why[0] != '\0', clock_ms());
	if (state != POSTGRES_CALLING && task == TASK_QUEUE_NONE)
		adopted_ranges_lose(&a->ranges);
	if (a->connection != postgres_status(a->pg)->connections)
		adopted_ranges_forget(&a->ranges);
	a->connection = postgres_status(a->pg)->connections;
	news = finish(a, task);
	return news == COMMITTER_NOTHING ? begin(a) : news;
}

static enum committer_news
finish(struct adopter *a, unsigned task)
{
	task_queue_remove(&a->tasks, task);
	switch ((enum adopter_task)task) {
	case ADOPTER_NO_TASK: break;
	case ADOPTER_READ: return finish_read(a, clock_ms());
	case ADOPTER_APPLY: return finish_apply(a);
	}
	return COMMITTER_NOTHING;
}

static enum committer_news
finish_read(struct adopter *a, int64_t now_ms)
{
	enum committer_news worst = COMMITTER_NOTHING;
	size_t at = 0;

	if (statements_elsewhere(a->pg))
		return COMMITTER_ELSEWHERE;
	FAILPOINT("flush-row");
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		struct adopted_range *r = &a->ranges.list[i];
		enum committer_news news;
		uint64_t row;

		if (!r->asked)
			continue;
		r->asked = false;
		if (apply_many_row(a->pg, at++, &row) < 0) {
			r->again_ms = now_ms + ADOPTER_AGAIN_MS;
			continue;
		}
		news = judge(a, r, row, now_ms);
		if (news <= worst)
			continue;
		worst = news;
		a->failed = r->window;
		a->row = row;
	}
	return worst;
}

static enum committer_news
judge(struct adopter *a, struct adopted_range *r, uint64_t row, int64_t now_ms)
{
	uint64_t first = r->window->first;
	enum window_verdict verdict;

	if (adopted_ranges_judge(&a->ranges, r, row, &verdict) < 0)
		return COMMITTER_MEMORY;
	switch (verdict) {
	case WINDOW_THERE: return COMMITTER_COMMITTED;
	case WINDOW_LOST: adopted_ranges_wait(r, row); break;
	case WINDOW_PARTLY: a->trimmed += row - first + 1; break;
	case WINDOW_AGAIN:
		if (r->unmoved == 0)
			break;
		/* Somebody else had it locked. */
		r->again_ms = now_ms + ADOPTER_AGAIN_MS;
		if (r->unmoved < UNMOVED_MAX)
			break;
		return postgres_is_proven(a->pg) ? COMMITTER_HIDDEN_LATER
						 : COMMITTER_HIDDEN;
	}
	return COMMITTER_NOTHING;
}

static enum committer_news
finish_apply(struct adopter *a)
{
	enum committer_news news = COMMITTER_NOTHING;
	size_t at = 0;

	if (statements_elsewhere(a->pg))
		return COMMITTER_ELSEWHERE;
	a->took_us = clock_us() - a->started_us;
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		struct adopted_range *r = &a->ranges.list[i];

		if (r->state != ADOPTED_SENT)
			continue;
		if (apply_many_moved(a->pg, at++)) {
			postgres_prove(a->pg);
			r->state = ADOPTED_DONE;
			news = COMMITTER_COMMITTED;
		} else {
			r->state = ADOPTED_OPEN;
			r->unmoved++;
		}
	}
	return news;
}

/* Begins the next call, if the connection is idle: rows first. */
static enum committer_news
begin(struct adopter *a)
{
	int64_t now_ms = clock_ms();
	struct id id;

	if (adopted_ranges_next(&a->ranges, now_ms) > now_ms) {
		if (postgres_status(a->pg)->idle)
			a->waiting_ms = 0;
		return COMMITTER_NOTHING;
	}
	if (a->waiting_ms == 0)
		a->waiting_ms = now_ms;
	if (!postgres_status(a->pg)->idle || a->tasks.held)
		return COMMITTER_NOTHING;
	if (a->own->bound && (statements_database(a->pg, &id) < 0 ||
				 !id_equal(&id, &a->own->database)))
		return COMMITTER_ELSEWHERE;
	switch (begin_read(a, now_ms)) {
	case 0: return begin_apply(a, now_ms);
	case 1: break;
	default: return COMMITTER_MEMORY;
	}
	return COMMITTER_NOTHING;
}

/* 1: begun.  0: there is none to be read.  -1 with errno ENOMEM. */
static int
begin_read(struct adopter *a, int64_t now_ms)
{
	const struct id *consumers[ADOPTED_RANGES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		struct adopted_range *r = &a->ranges.list[i];

		if (r->state != ADOPTED_OPEN ||
		    adopted_ranges_due(&a->ranges, r, now_ms) > now_ms)
			continue;
		r->asked = true;
		consumers[n++] = &r->window->consumer;
	}
	if (n == 0)
		return 0;
	a->waiting_ms = now_ms;
	task_queue_add(&a->tasks, ADOPTER_READ);
	task_queue_begin(&a->tasks, ADOPTER_READ);
	return FAILPOINT_AFTER(
		   "flush-look-sent", apply_many_read(a->pg, a->queue,
					  consumers, n, database(a))) < 0
		   ? -1
		   : 1;
}

/* Those that go with the next statement; the rest goes with one after it, as
 * what was sent and lost may stand beside what has come since. */
static size_t
choose(struct adopter *a, struct adopted_range *ret[ADOPTED_RANGES_MAX],
    int64_t now_ms)
{
	size_t n = 0, keys = 0;

	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		struct adopted_range *r = &a->ranges.list[i];

		if (r->state != ADOPTED_KNOWN ||
		    adopted_ranges_due(&a->ranges, r, now_ms) > now_ms)
			continue;
		keys += r->window->keysums.n;
		if (n > 0 && keys > a->ranges.keys_most)
			break;
		ret[n++] = r;
	}
	return n;
}

static enum committer_news
begin_apply(struct adopter *a, int64_t now_ms)
{
	struct apply_many of[ADOPTED_RANGES_MAX];
	struct adopted_range *ready[ADOPTED_RANGES_MAX];
	size_t n;

	n = choose(a, ready, now_ms);
	if (n == 0)
		return COMMITTER_NOTHING;
	a->keys = 0;
	for (size_t i = 0; i < n; i++) {
		struct window *w = ready[i]->window;

		a->failed = w;
		if (window_too_old(w, now_ms))
			return COMMITTER_TOO_OLD;
		adopted_ranges_send(ready[i], now_ms);
		a->keys += w->keysums.n;
		of[i] = (struct apply_many){&w->consumer,
		    {w->base + 1, w->last, window_lines(w)}, &w->keysums};
	}
	a->ranges.hurry = false;
	FAILPOINT("flush-adopted-closed");
	a->waiting_ms = now_ms;
	a->started_us = clock_us();
	task_queue_add(&a->tasks, ADOPTER_APPLY);
	task_queue_begin(&a->tasks, ADOPTER_APPLY);
	return call(a, of, n) < 0 ? COMMITTER_MEMORY : COMMITTER_NOTHING;
}

static int
call(struct adopter *a, const struct apply_many *of, size_t n)
{
	return FAILPOINT_AFTER("flush-adopted-sent",
	    apply_many(a->pg, a->queue, of, n, database(a)));
}

/* In any database, until there is one. */
static const struct id *
database(const struct adopter *a)
{
	return a->own->bound ? &a->own->database : NULL;
}

void
adopter_settle(struct adopter *a, struct acknowledger *to, struct sums *sums,
    struct flush_tally *tally)
{
	struct adopted_range *r;

	tally->replayed += a->trimmed;
	a->trimmed = 0;
	while ((r = adopted_ranges_done(&a->ranges)) != NULL) {
		FAILPOINT("flush-adopted-committed");
		flush_tally_commit(tally, r->window, r->replayed, a->took_us,
		    a->keys, clock_ms());
		sums_add_window(sums, r->window);
		acknowledger_add(to, r->window);
		adopted_ranges_free(&a->ranges, r);
	}
}

const struct adopted_range *
adopter_lost(struct adopter *a)
{
	if (a->lost != NULL)
		return NULL;
	a->lost = adopted_ranges_lost(&a->ranges);
	return a->lost;
}

void
adopter_restored(struct adopter *a, bool left)
{
	struct adopted_range *r = a->lost;

	a->lost = NULL;
	if (left)
		adopted_ranges_free(&a->ranges, r);
	else
		adopted_ranges_pass(r);
}

void
adopter_explain(
    const struct adopter *a, enum committer_news news, char ret_why[REASON_MAX])
{
	struct window w = *a->failed;
	const struct committer c = {.pg = a->pg,
	    .window = &w,
	    .row = a->row,
	    .database = a->own->database};

	committer_explain(&c, news, ret_why);
}
