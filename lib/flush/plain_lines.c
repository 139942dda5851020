/* Lines of plain input on their way into a window. */
#include "flush/plain_lines.h"

int
plain_lines_add(
    struct plain_lines *p, struct window *w, const struct increment *inc)
{
	p->increments[p->n++] = *inc;
	return p->n < PLAIN_LINES_MAX ? 0 : plain_lines_pour(p, w);
}

int
plain_lines_pour(struct plain_lines *p, struct window *w)
{
	size_t n = p->n;

	p->n = 0;
	return n == 0 ? 0 : window_add(w, p->increments, n);
}
