/*
 * Remembers who had an owner at the last look, and finds candidates.
 *
 * A candidate is only a reason to try: the script adopts it if it still is as
 * it was seen.
 */
#include "queue/liveness.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 2 * LIVENESS_MAX };

static int64_t known_since(
    const struct liveness *s, const struct id *consumer, int64_t now_ms);
static void drop_unheld(struct liveness *s, const struct id *self);
static bool is_held(const struct liveness *s, const struct id *consumer);
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
liveness_note(struct liveness *s, const struct id *consumer, const char *record,
    size_t record_len, int64_t now_ms)
{
	struct liveness_seen *to;

	if (s->n_next == ROOM || record_len >= OWNER_RECORD_MAX)
		return;
	to = &s->next[s->n_next++];
	to->consumer = *consumer;
	memcpy(to->record, record, record_len);
	to->record[record_len] = '\0';
	to->since_ms = known_since(s, consumer, now_ms);
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

		if (one->record[0] == '\0') {
			if (now_ms - one->since_ms >= LIVENESS_APART_MS)
				return one;
			continue;
		}
		if (owner_gone(one->record) ||
		    (owner_speaks(one->record, self) &&
			!is_held(s, &one->consumer)))
			return one;
	}
	return NULL;
}

bool
liveness_ownerless(const struct liveness *s)
{
	for (size_t i = 0; i < s->n_last; i++)
		if (s->last[i].record[0] == '\0')
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
	return found == NULL || found->record[0] != '\0' ? now_ms
							 : found->since_ms;
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
