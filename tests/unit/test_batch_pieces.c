/* The payloads of a batch, piece by piece. */
#include <string.h>

#include "check.h"
#include "queue/batch_pieces.h"

static const struct id a = {{1}}, b = {{2}};

static void
check_payload(const struct batch_pieces *p, size_t i, const char *want)
{
	size_t len;
	const char *got = batch_pieces_payload(p, i, &len);

	check(len == strlen(want) && memcmp(got, want, len) == 0, "%zu: %s", i,
	    want);
}

int
main(void)
{
	struct batch_pieces p = {0};

	batch_pieces_begin(&p, &a, 7);
	check(batch_pieces_add(&p, "", 0) == 0, "empty");
	check_payload(&p, 0, "");
	check(batch_pieces_add(&p, "one", 3) == 0, "one");
	check(batch_pieces_add(&p, "", 0) == 0, "empty");
	batch_pieces_begin(&p, &a, 7);
	check(batch_pieces_add(&p, "four", 4) == 0 && p.n == 4, "goes on");
	check_payload(&p, 0, "");
	check_payload(&p, 1, "one");
	check_payload(&p, 2, "");
	check_payload(&p, 3, "four");
	batch_pieces_begin(&p, &a, 8);
	check(p.n == 0 && p.length == 0, "another number");
	batch_pieces_add(&p, "x", 1);
	batch_pieces_begin(&p, &b, 8);
	check(p.n == 0, "another consumer");
	batch_pieces_clear(&p);
	return check_end();
}
