/* Keeps timers of the same duration in the order in which they are due. */
#include "base/timerlist.h"

#include "base/io.h"

void
timerlist_add(struct timerlist *l, struct timer *d, int64_t ms)
{
	*d = (struct timer){.prev = l->last, .ms = ms};
	if (l->last == NULL)
		l->first = d;
	else
		l->last->next = d;
	l->last = d;
	l->n++;
}

void
timerlist_remove(struct timerlist *l, struct timer *d)
{
	if (d->prev == NULL)
		l->first = d->next;
	else
		d->prev->next = d->next;
	if (d->next == NULL)
		l->last = d->prev;
	else
		d->next->prev = d->prev;
	l->n--;
}

int64_t
timerlist_next(const struct timerlist *l)
{
	return l->first == NULL ? IO_FOREVER : l->first->ms;
}
