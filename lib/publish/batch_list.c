/* Keeps the batches of a publisher that wait to be sent. */
#include "publish/batch_list.h"

#include <stdlib.h>
#include <string.h>

struct publish_batch *
batch_list_make(const struct batch_list *l)
{
	struct publish_batch *b = malloc(sizeof *b);

	if (b == NULL)
		return NULL;
	if (publish_batch_open(b, l->echo, l->tagged) < 0) {
		free(b);
		return NULL;
	}
	b->max = l->max;
	return b;
}

void
batch_list_discard(struct publish_batch *b)
{
	if (b == NULL)
		return;
	publish_batch_close(b);
	free(b);
}

int
batch_list_open(
    struct batch_list *l, bool echo, bool tagged, bool keeps, size_t max)
{
	*l = (struct batch_list){
	    .echo = echo, .tagged = tagged, .keeps = keeps, .max = max};
	return batch_list_more(l);
}

void
batch_list_close(struct batch_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		batch_list_discard(l->list[i]);
	batch_list_discard(l->spare);
	free(l->list);
	*l = (struct batch_list){0};
}

int
batch_list_more(struct batch_list *l)
{
	struct publish_batch *b =
	    l->spare == NULL ? batch_list_make(l) : l->spare;
	size_t cap = l->cap == 0 ? 1 : 2 * l->cap;
	struct publish_batch **list = l->list;

	l->spare = b;
	if (b != NULL && l->n == l->cap)
		list = realloc(list, cap * sizeof *list);
	if (b == NULL || list == NULL)
		return -1;
	if (l->n == l->cap)
		l->cap = cap;
	l->list = list;
	l->spare = NULL;
	b->keeps = l->keeps;
	l->list[l->n++] = b;
	return 0;
}

/* Removes the oldest one of several, and keeps an empty one to be used. */
static struct publish_batch *
shift(struct batch_list *l, struct publish_batch *empty)
{
	struct publish_batch *b = l->list[0];

	l->n--;
	memmove(l->list, l->list + 1, l->n * sizeof *l->list);
	batch_list_discard(l->spare);
	l->spare = empty;
	return b;
}

struct publish_batch *
batch_list_take(struct batch_list *l, struct publish_batch *empty)
{
	struct publish_batch *b = l->list[0];

	if (l->n > 1)
		return shift(l, empty);
	empty->keeps = l->keeps;
	l->list[0] = empty;
	return b;
}

bool
batch_list_drop(struct batch_list *l)
{
	if (l->n == 1)
		return false;
	shift(l, l->list[0]);
	return true;
}

size_t
batch_list_data(const struct batch_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->list[i]->n_data;
	return n;
}

size_t
batch_list_bytes(const struct batch_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->list[i]->text.len + l->list[i]->encoded.resp.len;
	return n;
}
