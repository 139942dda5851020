/* Numbers the lines of a file that is counted once. */
#include "flush/load_file.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "postgres/statements.h"

static int
take_label(struct load_file *l, const char *label)
{
	size_t len = label == NULL ? 0 : strlen(label);

	memcpy(l->queue, LOAD_FILE_QUEUE, sizeof LOAD_FILE_QUEUE);
	if (label == NULL)
		return 0;
	if (len == 0 || len > LOAD_FILE_LABEL_MAX)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (label[i] < '!' || label[i] > '~')
			return -1;
	snprintf(l->queue, sizeof l->queue, LOAD_FILE_QUEUE " %s", label);
	return 0;
}

/* UUID:LINES, and maybe :LABEL of printable ASCII. */
const char *
load_file_take(void *dest, const char *text)
{
	static const char expected[] = "UUID:LINES[:LABEL]";
	struct load_file *l = dest;
	char lines[NUM_TEXT];
	const char *label;
	size_t len;

	if (strlen(text) < ID_TEXT + 2 || text[ID_TEXT] != ':' ||
	    id_parse(text, ID_TEXT, &l->id) < 0)
		return expected;
	text += ID_TEXT + 1;
	len = strcspn(text, ":");
	label = text[len] == ':' ? text + len + 1 : NULL;
	if (len >= sizeof lines)
		return expected;
	memcpy(lines, text, len);
	lines[len] = '\0';
	if (num_u64(lines, 1, STATEMENTS_NUMBER_MAX, &l->lines) < 0)
		return expected;
	l->given = true;
	return take_label(l, label) < 0 ? expected : NULL;
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
