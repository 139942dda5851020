/*
 * The requests of tests/http/table given to the parser alone: whole, cut in
 * two at every byte, and byte by byte.  What comes out is what the table says
 * and the same each time.
 */
#include "../http/table.h"
#include "check.h"
#include "http/http_parser.h"

enum { CUTS_MAX = 2000 /* longer rows are cut at so many places */ };

static const char next[] = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

/* What came out, so far as it can be compared. */
struct outcome {
	uint64_t hash; /* of heads and bodies */
	unsigned requests;
	int status;
	bool keep_alive;
};

static void
mix(struct outcome *o, uint64_t value)
{
	o->hash = (o->hash ^ value) * 0x100000001b3;
}

static void
take(struct outcome *o, const struct http_parser *h, enum http_event e,
    const char *p, size_t eaten)
{
	const struct http_request *r = &h->request;

	if (e == HTTP_HEAD) {
		mix(o, (uint64_t)r->method << 2 | (uint64_t)r->expects << 1 |
			   r->keep_alive);
		for (size_t i = 0; i < r->path_len; i++)
			mix(o, (uint8_t)p[r->path_at + i]);
		mix(o, r->length);
		o->keep_alive = r->keep_alive;
	}
	for (size_t i = 0; e == HTTP_DATA && i < eaten; i++)
		mix(o, (uint8_t)p[i]);
	if (e == HTTP_END)
		mix(o, ++o->requests);
	if (e == HTTP_FAULT)
		o->status = h->status;
}

/* step: how many more bytes the parser sees each time; first: before that. */
static struct outcome
feed(const char *text, size_t len, size_t first, size_t step)
{
	struct http_parser h = {0};
	struct outcome o = {0};
	size_t used = 0, have = first < len ? first : len, eaten;

	for (;;) {
		enum http_event e =
		    http_parser_step(&h, text + used, have - used, &eaten);

		take(&o, &h, e, text + used, eaten);
		used += eaten;
		if (e == HTTP_FAULT || (e == HTTP_MORE && have == len))
			return o;
		if (e == HTTP_MORE)
			have = len - have < step ? len : have + step;
	}
}

static bool
same(const struct outcome *a, const struct outcome *b)
{
	return a->hash == b->hash && a->requests == b->requests &&
	       a->status == b->status && a->keep_alive == b->keep_alive;
}

/* Is status one that the parser gives? */
static bool
is_fault(const struct table_row *row)
{
	int last =
	    row->n_statuses == 0 ? 0 : row->statuses[row->n_statuses - 1];

	return (row->then == TABLE_CLOSE || row->then == TABLE_CUT ||
		   row->then == TABLE_REST) &&
	       (last == 400 || last == 417 || last == 431 || last == 505);
}

static void
judge(const struct table_row *row, const struct outcome *o)
{
	int last =
	    row->n_statuses == 0 ? 0 : row->statuses[row->n_statuses - 1];
	unsigned answered = (unsigned)row->n_statuses;

	if (is_fault(row)) {
		check(o->status == last, "line %u: %d", row->line, o->status);
		check(o->requests == answered - 1, "line %u: %u requests",
		    row->line, o->requests);
		return;
	}
	if (last == 413) /* a matter of those who take the body */
		return;
	check(o->status == 0, "line %u: %d", row->line, o->status);
	check(o->keep_alive == (row->then != TABLE_CLOSE) || answered == 0,
	    "line %u: keep_alive", row->line);
	check(o->requests == answered, "line %u: %u requests", row->line,
	    o->requests);
}

static void
test_row(const struct table_row *row)
{
	struct outcome whole = feed(row->text, row->len, row->len, 1), o;
	size_t stride = 1 + row->len / CUTS_MAX;
	char *both = malloc(row->len + sizeof next);

	judge(row, &whole);
	for (size_t cut = 0; cut < row->len; cut += stride) {
		o = feed(row->text, row->len, cut, row->len);
		check(same(&whole, &o), "line %u: cut at %zu", row->line, cut);
	}
	o = feed(row->text, row->len, 0, 1);
	check(same(&whole, &o), "line %u: byte by byte", row->line);

	/* What comes behind neither changes it nor is swallowed. */
	if (both != NULL && row->then == TABLE_KEEP) {
		memcpy(both, row->text, row->len);
		memcpy(both + row->len, next, sizeof next);
		o = feed(both, row->len + sizeof next - 1, row->len, 1);
		check(o.status == 0 && o.requests == whole.requests + 1,
		    "line %u: the next one: %d", row->line, o.status);
	}
	free(both);
}

int
main(int argc, char **argv)
{
	static struct table_row rows[TABLE_ROWS];
	size_t n = table_read(argc > 1 ? argv[1] : "tests/http/table", rows);

	check(n >= 200, "%zu rows", n);
	for (size_t i = 0; i < n; i++) {
		test_row(&rows[i]);
		free(rows[i].text);
	}
	return check_end();
}
