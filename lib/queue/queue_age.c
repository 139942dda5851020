/* Works out how old the oldest increment is that waits. */
#include "queue/queue_age.h"

#include <string.h>

#include "base/num.h"

/* A batch whose messages may have waited for longer before it was taken. */
enum { WAITED_MS = 2000 };

/* The latest look for which that holds, NULL if there is none. */
static const struct queue_age_look *
look_with_pushed(const struct queue_age *a, uint64_t at_most)
{
	for (size_t i = a->n; i-- > 0;)
		if (a->looks[i].pushed <= at_most)
			return &a->looks[i];
	return NULL;
}

static const struct queue_age_look *
look_before(const struct queue_age *a, int64_t at_ms)
{
	for (size_t i = a->n; i-- > 0;)
		if (a->looks[i].at_ms <= at_ms)
			return &a->looks[i];
	return NULL;
}

/* What was taken by other programs, at least, as long as nobody counts it. */
static void
note_others(struct queue_age *a, const struct queue_lengths *l)
{
	uint64_t pushed = l->taken + a->others + l->ready;

	if (a->n > 0 && pushed < a->looks[a->n - 1].pushed)
		a->others += a->looks[a->n - 1].pushed - pushed;
}

/* The oldest in ready came then or later. */
static int64_t
ready_since(const struct queue_age *a, const struct queue_lengths *l)
{
	const struct queue_age_look *look =
	    look_with_pushed(a, l->taken + a->others);
	int64_t since_ms = look == NULL ? 0 : look->at_ms;

	if (l->ready == 0)
		return l->at_ms;
	/* The clock may have been set back. */
	if (since_ms < l->emptied_ms && l->emptied_ms <= l->at_ms)
		since_ms = l->emptied_ms;
	if (since_ms == 0) /* nothing is known but what was seen */
		return a->n > 0 ? a->looks[0].at_ms : l->at_ms;
	return since_ms;
}

/* The same of the oldest batch, which there is. */
static int64_t
batch_since(const struct queue_age *a, const struct queue_lengths *l)
{
	const struct queue_age_look *look = look_before(a, l->batch_ms);

	if (look != NULL && look->at_ms - look->since_ms > WAITED_MS)
		return look->since_ms;
	return num_min(l->batch_ms, l->at_ms);
}

/* Leaves out the first looks, which no later question is about. */
static void
forget(struct queue_age *a, const struct queue_lengths *l)
{
	size_t first = 0;

	while (first + 1 < a->n &&
	       a->looks[first + 1].pushed <= l->taken + a->others &&
	       (l->batch_ms == 0 || a->looks[first + 1].at_ms <= l->batch_ms))
		first++;
	a->n -= first;
	memmove(a->looks, a->looks + first, a->n * sizeof *a->looks);
}

/* Leaves out the look that is missed least: the older looks are, the farther
 * they lie apart. */
static void
thin(struct queue_age *a, int64_t now_ms)
{
	size_t least = 1;
	double smallest = 0;

	for (size_t i = 1; i + 1 < a->n; i++) {
		int64_t gap_ms = a->looks[i + 1].at_ms - a->looks[i - 1].at_ms;
		int64_t ago_ms = now_ms - a->looks[i].at_ms + 1;
		double share = (double)gap_ms / (double)ago_ms;

		if (i == 1 || share < smallest) {
			least = i;
			smallest = share;
		}
	}
	a->n--;
	memmove(a->looks + least, a->looks + least + 1,
	    (a->n - least) * sizeof *a->looks);
}

int64_t
queue_age_look(struct queue_age *a, const struct queue_lengths *l)
{
	int64_t since_ms, oldest_ms;

	/* Redis went back, or its clock. */
	if (a->n > 0 &&
	    (l->at_ms < a->looks[a->n - 1].at_ms || l->taken < a->taken))
		*a = (struct queue_age){0};
	note_others(a, l);
	since_ms = oldest_ms = ready_since(a, l);
	if (l->batch_ms != 0)
		oldest_ms = num_min(batch_since(a, l), oldest_ms);
	forget(a, l);
	if (a->n == QUEUE_AGE_LOOKS)
		thin(a, l->at_ms);
	a->taken = l->taken;
	a->looks[a->n++] = (struct queue_age_look){.at_ms = l->at_ms,
	    .pushed = l->taken + a->others + l->ready,
	    .since_ms = since_ms};
	return l->at_ms - oldest_ms;
}
