/* Lists the first invalid lines and counts the others. */
#include "record/invalid_lines.h"

#include "base/log.h"

enum { LISTED_MAX = 10 };

void
invalid_lines_add(
    struct invalid_lines *l, uint64_t line, enum fault fault, const char *hint)
{
	l->n++;
	if (l->n <= LISTED_MAX)
		log_say("line %ju: %s: %s", (uintmax_t)line, fault_code(fault),
		    hint == NULL ? fault_detail(fault) : hint);
	else if (l->n == LISTED_MAX + 1)
		log_say("further invalid lines are counted, not listed");
}

void
invalid_lines_end(const struct invalid_lines *l, uint64_t n_lines)
{
	if (l->n > LISTED_MAX)
		log_say("stdin: %ju of %ju lines rejected", (uintmax_t)l->n,
		    (uintmax_t)n_lines);
}
