/* Numbers the lines of a file that is counted once. */
#include "flush/load_file.h"

#include <string.h>

#include "base/num.h"
#include "postgres/statements.h"

const char *
load_file_take(void *dest, const char *text)
{
	static const char expected[] = "UUID:LINES";
	struct load_file *l = dest;

	if (strlen(text) < ID_TEXT + 2 || text[ID_TEXT] != ':' ||
	    id_parse(text, ID_TEXT, &l->id) < 0 ||
	    num_u64(text + ID_TEXT + 1, 1, STATEMENTS_NUMBER_MAX, &l->lines) <
		0)
		return expected;
	l->given = true;
	return NULL;
}

bool
load_file_skips(struct load_file *l)
{
	l->at++;
	if (l->at > l->row)
		return false;
	l->done = l->at;
	return true;
}

void
load_file_number(struct load_file *l, struct window *w)
{
	w->of_file = true;
	w->consumer = w->self = l->id;
	w->base = l->done;
	w->from = w->first = l->done + 1;
	w->last = l->done = l->at;
}
