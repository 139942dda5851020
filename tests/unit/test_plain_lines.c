/* Lines of plain input are in the window once they are many, or asked for. */
#include "check.h"
#include "flush/plain_lines.h"

int
main(void)
{
	static struct plain_lines p;
	struct window w = {0};
	struct hash_seed seed;

	hash_seed_make(&seed);
	keysums_open(&w.keysums, &seed);
	window_open_plain(&w, 1);
	check(plain_lines_pour(&p, &w) == 0 && w.lines == 0, "none");
	for (size_t i = 1; i <= 3 * PLAIN_LINES_MAX + 5; i++) {
		struct increment inc = {.value = (int64_t)i};

		inc.key.bytes[0] = (uint8_t)(i & 1);
		check(plain_lines_add(&p, &w, &inc) == 0, "memory");
		check(w.lines + p.n == i && p.n < PLAIN_LINES_MAX,
		    "%zu: %zu wait", i, p.n);
	}
	check(p.n == 5, "%zu wait", p.n);
	check(plain_lines_pour(&p, &w) == 0 && p.n == 0, "poured");
	check(plain_lines_pour(&p, &w) == 0, "once");
	check(w.lines == 3 * PLAIN_LINES_MAX + 5 && w.keysums.n == 2, "lines");
	keysums_sort(&w.keysums);
	check(w.keysums.items[0].sum + w.keysums.items[1].sum ==
		  w.lines * (w.lines + 1) / 2,
	    "sum");
	window_free(&w);
	return check_end();
}
