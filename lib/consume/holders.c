/* Remembers when the marks of consumers with batches would be over. */
#include "consume/holders.h"

#include <stdlib.h>

enum { MARGIN_MS = 100 /* less than from one renewal to the next */ };

static struct holder *find(const struct holders *h, const struct id *consumer);

void
holders_begin(struct holders *h)
{
	for (size_t i = 0; i < h->n; i++)
		h->list[i].seen = false;
}

/* The mark's end is known but for the time between question and answer: it
 * was renewed if its earliest end is later than the latest one was.  Both
 * clocks count whole milliseconds, and that of Redis may be adjusted. */
int
holders_note(struct holders *h, const struct id *consumer, int64_t life_ms,
    int64_t asked_ms, int64_t now_ms)
{
	struct holder *known = find(h, consumer), *more;

	if (known != NULL) {
		known->seen = true;
		known->live = life_ms >= 0 &&
			      (known->live || asked_ms + life_ms >
						  known->over_ms + MARGIN_MS);
		return 0;
	}
	more = realloc(h->list, (h->n + 1) * sizeof *more);
	if (more == NULL)
		return -1;
	h->list = more;
	h->list[h->n++] = (struct holder){.consumer = *consumer,
	    .over_ms = now_ms + (life_ms > 0 ? life_ms : 0),
	    .seen = true};
	return 0;
}

void
holders_end(struct holders *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->n; i++)
		if (h->list[i].seen)
			h->list[kept++] = h->list[i];
	h->n = kept;
}

const struct id *
holders_doubtful(const struct holders *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (!h->list[i].live)
			return &h->list[i].consumer;
	return NULL;
}

void
holders_free(struct holders *h)
{
	free(h->list);
	*h = (struct holders){0};
}

static struct holder *
find(const struct holders *h, const struct id *consumer)
{
	for (size_t i = 0; i < h->n; i++)
		if (id_equal(&h->list[i].consumer, consumer))
			return &h->list[i];
	return NULL;
}
