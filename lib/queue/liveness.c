/*
 * Remembers who lived at the last look, and finds candidates.
 *
 * A candidate is only a reason to try: the script adopts it if it still is as
 * it was seen.
 */
#include "queue/liveness.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 3 * LIVENESS_MAX };

static int64_t known_since(
    const struct liveness *s, const struct id *consumer, int64_t now_ms);
static void drop_unheld(struct liveness *s, const struct id *self);
static bool is_held(const struct liveness *s, const struct id *consumer);
static bool is_gone(const struct liveness_seen *one);
static void copy(char *to, const char *text, size_t len);
static int by_id(const void *a, const void *b);

int
liveness_begin(struct liveness *s)
{
	if (s->next == NULL)
		s->next = calloc(ROOM, sizeof *s->next);
	if (s->last == NULL)
		s->last = calloc(ROOM, sizeof *s->last);
	s->n_next = 0;
	return s->next == NULL || s->last == NULL ? -1 : 0;
}

void
liveness_note(
    struct liveness *s, const struct liveness_look *look, int64_t now_ms)
{
	struct liveness_seen *to;

	if (s->n_next == ROOM || look->record_len >= OWNER_RECORD_MAX ||
	    look->mark_len >= LIVENESS_MARK_MAX)
		return;
	to = &s->next[s->n_next++];
	to->consumer = look->consumer;
	to->missing = look->missing;
	copy(to->record, look->record, look->record_len);
	copy(to->mark, look->mark, look->mark_len);
	to->since_ms = known_since(s, &look->consumer, now_ms);
}

static void
copy(char *to, const char *text, size_t len)
{
	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
}

void
liveness_end(struct liveness *s, const struct id *self)
{
	struct liveness_seen *was = s->last;

	qsort(s->next, s->n_next, sizeof *s->next, by_id);
	s->last = s->next;
	s->n_last = s->n_next;
	s->next = was;
	s->n_next = 0;
	drop_unheld(s, self);
}

void
liveness_forget(struct liveness *s)
{
	s->n_last = 0;
}

int
liveness_hold(struct liveness *s, const struct id *consumer)
{
	struct id *more;

	if (is_held(s, consumer))
		return 0;
	more = realloc(s->held, (s->n_held + 1) * sizeof *more);
	if (more == NULL)
		return -1;
	s->held = more;
	s->held[s->n_held++] = *consumer;
	return 0;
}

const struct liveness_seen *
liveness_candidate(
    const struct liveness *s, size_t *i, const struct id *self, int64_t now_ms)
{
	while (*i < s->n_last) {
		const struct liveness_seen *one = &s->last[(*i)++];

		if (one->missing && now_ms - one->since_ms >= LIVENESS_APART_MS)
			return one;
		if (one->record[0] == '\0')
			continue;
		if (is_gone(one) || (owner_speaks(one->record, self) &&
					!is_held(s, &one->consumer)))
			return one;
	}
	return NULL;
}

/* Is one of its halves a process that is gone? */
static bool
is_gone(const struct liveness_seen *one)
{
	const char *flush = strchr(one->mark, ' ');

	return owner_gone(one->record) ||
	       (flush != NULL && owner_gone(flush + 1));
}

size_t
liveness_candidates(
    const struct liveness *s, const struct id *self, int64_t now_ms)
{
	size_t i = 0, n = 0;

	while (liveness_candidate(s, &i, self, now_ms) != NULL)
		n++;
	return n;
}

bool
liveness_missing(const struct liveness *s)
{
	for (size_t i = 0; i < s->n_last; i++)
		if (s->last[i].missing)
			return true;
	return false;
}

void
liveness_free(struct liveness *s)
{
	free(s->last);
	free(s->next);
	free(s->held);
	*s = (struct liveness){0};
}

static int64_t
known_since(const struct liveness *s, const struct id *consumer, int64_t now_ms)
{
	struct liveness_seen key = {.consumer = *consumer}, *found;

	if (s->n_last == 0)
		return now_ms;
	found = bsearch(&key, s->last, s->n_last, sizeof key, by_id);
	return found == NULL || !found->missing ? now_ms : found->since_ms;
}

/* Forgets the consumers that, by the last look, self does not own any more. */
static void
drop_unheld(struct liveness *s, const struct id *self)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_held; i++) {
		struct liveness_seen key = {.consumer = s->held[i]},
				     *found = NULL;

		if (s->n_last > 0)
			found = bsearch(
			    &key, s->last, s->n_last, sizeof key, by_id);
		if (found != NULL && owner_speaks(found->record, self))
			s->held[kept++] = s->held[i];
	}
	s->n_held = kept;
}

static bool
is_held(const struct liveness *s, const struct id *consumer)
{
	for (size_t i = 0; i < s->n_held; i++)
		if (id_equal(&s->held[i], consumer))
			return true;
	return false;
}

static int
by_id(const void *a, const void *b)
{
	const struct liveness_seen *x = a, *y = b;

	return memcmp(&x->consumer, &y->consumer, sizeof x->consumer);
}
