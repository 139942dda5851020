/* Reads the counts of some keys. */
#include "postgres/counts.h"

#include <string.h>

#include "base/bigendian.h"
#include "base/buf.h"
#include "postgres/pg_binary.h"
#include "postgres/statement_call.h"

#define HALF 1000000000000000000 /* of COUNTS_DIGITS, the text below */

enum { ROW_BYTES = ID_BYTES + 8 + 8 };

/* A row: a key, the digits of its count in front of the last eighteen, and
 * these.  A last number of -1: not here. */
static const char read_counts[] =
    "select uuid_send(key) || int8send(div(value, 1e18)::int8) "
    "|| int8send((value % 1e18)::int8) from " STATEMENT_INCREMENTS " "
    "where key = any ($1) and value < 1e36 and value = trunc(value) "
    "union all select uuid_send(($1)[1]) || int8send(0) || int8send(-1) "
    "where pg_is_in_recovery() or not " STATEMENT_RIGHT("$2");

int
counts_read(struct postgres *pg, const struct id *first, size_t stride,
    size_t n, const struct id *database)
{
	struct buf keys = {0};
	struct postgres_params p = {0};
	int result = -1;

	if (pg_binary_add_ids(&keys, first, stride, n) == 0) {
		statement_put(
		    &p, PG_BINARY_UUID_ARRAY, buf_ptr(&keys), keys.len);
		statement_put(&p, PG_BINARY_UUID,
		    database == NULL ? NULL : database->bytes, ID_BYTES);
		p.shape = (struct pg_shape){.most = n + 1,
		    .len = ROW_BYTES,
		    .numbers = true,
		    .lowest = -1,
		    .highest = HALF - 1};
		result = statement_call(pg, "read counts", read_counts, &p);
	}
	buf_free(&keys);
	return result;
}

int
counts_row(
    const struct postgres *pg, size_t i, struct id *ret_key, u128 *ret_count)
{
	const char *row = postgres_value(pg, i, ROW_BYTES);
	uint64_t high, low;

	if (row == NULL)
		return -1;
	high = bigendian_get64(row + ID_BYTES);
	low = bigendian_get64(row + ID_BYTES + 8);
	if (high >= HALF || low >= HALF)
		return -1;
	memcpy(ret_key->bytes, row, ID_BYTES);
	*ret_count = (u128)high * HALF + low;
	return 0;
}
