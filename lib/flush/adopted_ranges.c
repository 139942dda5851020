/* Keeps ranges of adopted batches, and says what is due. */
#include "flush/adopted_ranges.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "flush/schedule.h"

static struct adopted_range *find(
    struct adopted_ranges *a, const struct id *consumer, bool frozen);
static bool is_full(const struct adopted_ranges *a);
static bool fits(const struct adopted_ranges *a, const struct batch *b);
static struct adopted_range *open_range(struct adopted_ranges *a,
    const struct control_checkpoint *p, const struct id *self,
    int64_t opened_ms, int64_t now_ms);
static struct adopted_range *in_state(
    struct adopted_ranges *a, enum adopted_state state);
static bool has_open(const struct adopted_ranges *a);
static void resize(struct adopted_ranges *a);
static bool is_behind(
    const struct adopted_ranges *a, const struct adopted_range *r);

void
adopted_ranges_open(struct adopted_ranges *a, struct window *windows)
{
	*a = (struct adopted_ranges){
	    .keys_max = SIZE_MAX, .keys_most = SIZE_MAX};
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++)
		a->list[i].window = &windows[i];
}

bool
adopted_ranges_take(struct adopted_ranges *a,
    const struct control_checkpoint *point, const struct batch *b)
{
	struct adopted_range *open = find(a, &point->consumer, false),
			     *sent = find(a, &point->consumer, true);
	struct adopted_range *last = open != NULL ? open : sent;
	bool room = open != NULL || a->n < ADOPTED_RANGES_MAX;

	/* One that came before, or behind a gap, waits for the row. */
	if (room && !is_full(a) && fits(a, b) &&
	    (last == NULL || last->window->last + 1 == point->seq))
		return true;
	a->hurry = true;
	return false;
}

/* The range of consumer that is (not) frozen, NULL if there is none. */
static struct adopted_range *
find(struct adopted_ranges *a, const struct id *consumer, bool frozen)
{
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		struct adopted_range *r = &a->list[i];
		bool is_frozen = r->frozen || r->state == ADOPTED_DONE;

		if (r->state != ADOPTED_FREE && is_frozen == frozen &&
		    id_equal(&r->window->consumer, consumer))
			return r;
	}
	return NULL;
}

/* What is open, and will go with the next statement. */
static void
add_up(const struct adopted_ranges *a, size_t *ret_lines, size_t *ret_keys)
{
	size_t lines = 0, keys = 0;

	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		const struct adopted_range *r = &a->list[i];

		if (r->state == ADOPTED_FREE || r->frozen)
			continue;
		lines += r->window->log.len / sizeof(struct increment);
		keys += r->window->keysums.n;
	}
	*ret_lines = lines;
	*ret_keys = keys;
}

/* Is there enough for a statement that what is open will go with? */
static bool
is_full(const struct adopted_ranges *a)
{
	size_t lines, keys;

	add_up(a, &lines, &keys);
	return lines >= WINDOW_LOG_MAX || keys >= a->keys_max;
}

/* Each line of b may have a key of its own. */
static bool
fits(const struct adopted_ranges *a, const struct batch *b)
{
	size_t lines, keys;

	add_up(a, &lines, &keys);
	return keys == 0 || (keys <= a->keys_most &&
				b->increments.len / sizeof(struct increment) <=
				    a->keys_most - keys);
}

int
adopted_ranges_add(struct adopted_ranges *a,
    const struct control_checkpoint *point, const struct id *self,
    const struct batch *b, int64_t age_ms, int64_t now_ms)
{
	struct adopted_range *r = find(a, &point->consumer, false);
	int result;

	if (r == NULL)
		r = open_range(a, point, self,
		    b->lines > 0 ? b->opened_ms : now_ms, now_ms);
	result = window_add_batch(r->window, b, point->seq, age_ms, now_ms);
	resize(a);
	return result;
}

static struct adopted_range *
open_range(struct adopted_ranges *a, const struct control_checkpoint *p,
    const struct id *self, int64_t opened_ms, int64_t now_ms)
{
	struct adopted_range *r = a->list;
	struct window *w;

	if (!has_open(a))
		a->opened_ms = now_ms;
	while (r->state != ADOPTED_FREE)
		r++;
	w = r->window;
	*r = (struct adopted_range){.state = ADOPTED_OPEN, .window = w};
	window_open(w, &p->consumer, self, true, opened_ms);
	a->n++;
	return r;
}

static bool
has_open(const struct adopted_ranges *a)
{
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++)
		if (a->list[i].state != ADOPTED_FREE && !a->list[i].frozen)
			return true;
	return false;
}

static void
resize(struct adopted_ranges *a)
{
	a->size = 0;
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++)
		if (a->list[i].state != ADOPTED_FREE)
			a->size += window_size(a->list[i].window);
}

struct adopted_range *
adopted_ranges_done(struct adopted_ranges *a)
{
	return in_state(a, ADOPTED_DONE);
}

struct adopted_range *
adopted_ranges_lost(struct adopted_ranges *a)
{
	return in_state(a, ADOPTED_LOST);
}

static struct adopted_range *
in_state(struct adopted_ranges *a, enum adopted_state state)
{
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++)
		if (a->list[i].state == state)
			return &a->list[i];
	return NULL;
}

void
adopted_ranges_free(struct adopted_ranges *a, struct adopted_range *r)
{
	window_clear(r->window);
	r->state = ADOPTED_FREE;
	r->frozen = false;
	a->n--;
	if (a->n == 0)
		a->hurry = false;
	resize(a);
}

int64_t
adopted_ranges_next(const struct adopted_ranges *a, int64_t now_ms)
{
	int64_t next_ms = IO_FOREVER;

	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		int64_t at_ms = adopted_ranges_due(a, &a->list[i], now_ms);

		next_ms = num_min(at_ms, next_ms);
	}
	return next_ms;
}

int64_t
adopted_ranges_due(const struct adopted_ranges *a,
    const struct adopted_range *r, int64_t now_ms)
{
	int64_t linger_ms = a->opened_ms + SCHEDULE_LINGER_MS;

	switch (r->state) {
	case ADOPTED_FREE:
	case ADOPTED_LOST:
	case ADOPTED_SENT:
	case ADOPTED_DONE: return IO_FOREVER;
	case ADOPTED_OPEN: return is_behind(a, r) ? IO_FOREVER : r->again_ms;
	case ADOPTED_KNOWN:
		if (r->frozen || a->hurry || linger_ms <= now_ms || is_full(a))
			return r->again_ms;
		return linger_ms;
	}
	return IO_FOREVER;
}

/* Is a range of the same consumer before r not in the table yet? */
static bool
is_behind(const struct adopted_ranges *a, const struct adopted_range *r)
{
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		const struct adopted_range *other = &a->list[i];

		if (other != r && other->state != ADOPTED_FREE &&
		    other->state != ADOPTED_DONE &&
		    other->window->last < r->window->first &&
		    id_equal(&other->window->consumer, &r->window->consumer))
			return true;
	}
	return false;
}

void
adopted_ranges_send(struct adopted_range *r, int64_t now_ms)
{
	keysums_sort(&r->window->keysums);
	if (r->window->sent_ms == 0)
		r->window->sent_ms = now_ms;
	r->frozen = true;
	r->state = ADOPTED_SENT;
}

void
adopted_ranges_lose(struct adopted_ranges *a)
{
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++) {
		if (a->list[i].state == ADOPTED_SENT)
			a->list[i].state = ADOPTED_KNOWN;
		a->list[i].asked = false;
	}
}

void
adopted_ranges_forget(struct adopted_ranges *a)
{
	for (size_t i = 0; i < ADOPTED_RANGES_MAX; i++)
		if (a->list[i].state == ADOPTED_KNOWN)
			a->list[i].state = ADOPTED_OPEN;
}

void
adopted_ranges_wait(struct adopted_range *r, uint64_t row)
{
	r->state = ADOPTED_LOST;
	r->row = row;
}

/* The statement moves the row from exactly there, or not at all. */
void
adopted_ranges_pass(struct adopted_range *r)
{
	r->window->base = r->row;
	r->unmoved = 0;
	r->state = ADOPTED_KNOWN;
}

int
adopted_ranges_judge(struct adopted_ranges *a, struct adopted_range *r,
    uint64_t row, enum window_verdict *ret)
{
	*ret = window_judge(r->window, row);
	switch (*ret) {
	case WINDOW_LOST: return 0;
	case WINDOW_THERE:
		r->state = ADOPTED_DONE;
		r->replayed = true;
		return 0;
	case WINDOW_PARTLY:
		r->unmoved = 0;
		if (window_trim(r->window, row) < 0)
			return -1;
		resize(a);
		break;
	case WINDOW_AGAIN: break;
	}
	r->state = ADOPTED_KNOWN;
	return 0;
}
