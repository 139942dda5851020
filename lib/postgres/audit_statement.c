/* The statement of incr-audit: sums, ledger and counts of one moment. */
#include "postgres/audit_statement.h"

#include <string.h>

#include "base/bigendian.h"
#include "base/buf.h"
#include "postgres/pg_binary.h"
#include "postgres/statement_call.h"
#include "postgres/statements.h"

enum {
	TEXT_MAX = 200000,  /* a numeric has at most 147455 digits */
	ROWS_MAX = 1 << 20, /* of the ledger */
	ROW = ID_BYTES + 8 + 8
};

/* One row of text, "SUM KEYS LINES...", with the lines of each queue, and the
 * ledger: 16 bytes of the consumer, 8 of LEDGER less the place of its queue, 8
 * of the number.  One statement, one snapshot. */
#define QUEUES "string_to_array($1, ' ')"

#define LINES_EACH \
	"select coalesce(sum(l.lines), 0) as lines, q.at " \
	"from unnest(" QUEUES ") with ordinality as q (name, at) " \
	"left join " STATEMENT_LEDGER \
	" as l on l.queue = q.name group by q.at"

#define ROWS(where) \
	"select 0 as part, convert_to(coalesce(sum(value), 0)::text " \
	"|| ' ' || count(*)::text || ' ' || (select string_agg(" \
	"lines::text, ' ' order by at) from (" LINES_EACH \
	") as l), 'UTF8') as row from " STATEMENT_INCREMENTS " " where \
	"union all select 1, uuid_send(consumer) || " \
	"int8send((-1 - array_position(" QUEUES ", queue))::int8) " \
	"|| int8send(seq) from " STATEMENT_LEDGER \
	" where queue = any (" QUEUES ")"

#define SORTED(where) "select row from (" ROWS(where) ") as parts order by part"

/* With counts, the 16 bytes of a key are followed by the digits of its count in
 * front of the last eighteen, and these; a count that is no number is -1. */
#define HALF 1000000000000000000
#define LEDGER (-2) /* place 0; those of others are lower */

#define ALL_ROWS ROWS("")

static const char keys_text[] =
    "select row from (" ALL_ROWS
    " union all select 2, uuid_send(i.key) || case "
    "when i.value < 1e36 and i.value = trunc(i.value) "
    "then int8send(div(i.value, 1e18)::int8) "
    "|| int8send((i.value % 1e18)::int8) "
    "else int8send(-1) || int8send(0) end "
    "from unnest($2::uuid[]) as k (key) join " STATEMENT_INCREMENTS
    " as i on i.key = k.key) as parts order by part";

/* A row of an audit, behind its first one. */
static struct pg_shape
rows(size_t more)
{
	return (struct pg_shape){.least = 1,
	    .most = 1 + ROWS_MAX + more,
	    .len = ROW,
	    .text = TEXT_MAX,
	    .numbers = true,
	    .highest = HALF - 1};
}

int
audit_statement_call(
    struct postgres *pg, const char *queues, const struct id *key)
{
	struct postgres_params p = {.shape = rows(0)};

	statement_put(&p, PG_BINARY_TEXT, queues, strlen(queues));
	if (key == NULL)
		return statement_call(pg, "audit", SORTED(""), &p);
	statement_put(&p, PG_BINARY_UUID, key->bytes, ID_BYTES);
	return statement_call(pg, "audit", SORTED("where key = $2 "), &p);
}

int
audit_statement_call_keys(struct postgres *pg, const char *queues,
    const struct id *first, size_t stride, size_t n)
{
	struct buf keys = {0};
	struct postgres_params p = {.shape = rows(n)};
	int result = -1;

	if (pg_binary_add_ids(&keys, first, stride, n) == 0) {
		statement_put(&p, PG_BINARY_TEXT, queues, strlen(queues));
		statement_put(
		    &p, PG_BINARY_UUID_ARRAY, buf_ptr(&keys), keys.len);
		result = statement_call(pg, "audit", keys_text, &p);
	}
	buf_free(&keys);
	return result;
}

int
audit_statement_sums(const struct postgres *pg,
    struct audit_statement_sums *ret, uint64_t *ret_lines, size_t n)
{
	size_t len, part;
	const char *text = postgres_bytes(pg, 0, &len);
	u128 number, sums[2];

	if (text == NULL)
		return -1;
	for (size_t i = 0; i < 2 + n; i++) {
		const char *space = memchr(text, ' ', len);

		part = space == NULL ? len : (size_t)(space - text);
		if (u128_parse(text, part, &number) < 0 ||
		    (i > 0 && number > STATEMENTS_LINES_MAX))
			return -1;
		if (i < 2)
			sums[i] = number;
		else
			ret_lines[i - 2] = (uint64_t)number;
		part += space != NULL;
		text += part;
		len -= part;
	}
	*ret = (struct audit_statement_sums){sums[0], (uint64_t)sums[1]};
	return 0;
}

int
audit_statement_row(const struct postgres *pg, size_t i, size_t *ret_queue,
    struct id *ret_consumer, uint64_t *ret_seq)
{
	const char *row = postgres_value(pg, 1 + i, ROW);
	uint64_t seq;
	int64_t place;

	if (row == NULL)
		return -1;
	place = (int64_t)bigendian_get64(row + ID_BYTES);
	seq = bigendian_get64(row + ID_BYTES + 8);
	if (place > LEDGER || place < LEDGER - AUDIT_STATEMENT_QUEUES + 1 ||
	    seq > STATEMENTS_NUMBER_MAX)
		return -1;
	memcpy(ret_consumer->bytes, row, ID_BYTES);
	*ret_queue = (size_t)(LEDGER - place);
	*ret_seq = seq;
	return 0;
}

enum audit_statement_count
audit_statement_count(
    const struct postgres *pg, size_t i, struct id *ret_key, u128 *ret_count)
{
	const char *row = postgres_value(pg, 1 + i, ROW);
	uint64_t high, low;

	if (row == NULL)
		return AUDIT_STATEMENT_NO_COUNT;
	high = bigendian_get64(row + ID_BYTES);
	low = bigendian_get64(row + ID_BYTES + 8);
	if (high >= HALF || low >= HALF)
		return AUDIT_STATEMENT_NO_NUMBER;
	memcpy(ret_key->bytes, row, ID_BYTES);
	*ret_count = (u128)high * HALF + low;
	return AUDIT_STATEMENT_COUNT;
}
