#include "base/timerlist.h"

#include "base/io.h"

void
due_add(struct due_list *l, struct due *d, int64_t ms)
{
	*d = (struct due){.prev = l->last, .ms = ms};
	if (l->last == NULL)
		l->first = d;
	else
		l->last->next = d;
	l->last = d;
	l->n++;
}

void
due_remove(struct due_list *l, struct due *d)
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
due_next(const struct due_list *l)
{
	return l->first == NULL ? FDIO_FOREVER : l->first->ms;
}
