/* Writes arrays as binary parameters of Postgres. */
#include "postgres/pg_binary.h"

#include <string.h>

#include "base/bigendian.h"

enum {
	HEAD_BYTES = 20,
	NUMERIC_BASE = 10000,
	NUMERIC_DIGITS = 10, /* of that base, in 2^128 */
	NUMERIC_BYTES = 8 + 2 * NUMERIC_DIGITS
};

static char *start(struct buf *out, uint32_t type, size_t n, size_t size);
static size_t put_numeric(char *to, u128 sum);

int
pg_binary_add_ids(
    struct buf *out, const struct id *first, size_t stride, size_t n)
{
	const char *from = (const char *)first;
	char *to = start(out, PG_BINARY_UUID, n, ID_BYTES);

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		to = bigendian_put32(to, ID_BYTES);
		memcpy(to, from + i * stride, ID_BYTES);
		to += ID_BYTES;
	}
	buf_grow(out, n * (4 + ID_BYTES));
	return 0;
}

bool
pg_binary_fit_int8(const struct keysums *sorted)
{
	for (size_t i = 0; i < sorted->n; i++)
		if (sorted->items[i].sum > INT64_MAX)
			return false;
	return true;
}

int
pg_binary_add_int8(struct buf *out, const struct keysums *sorted)
{
	char *to = start(out, PG_BINARY_INT8, sorted->n, 8);

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < sorted->n; i++) {
		to = bigendian_put32(to, 8);
		to = bigendian_put64(to, (uint64_t)sorted->items[i].sum);
	}
	buf_grow(out, sorted->n * (4 + 8));
	return 0;
}

int
pg_binary_add_numeric(struct buf *out, const struct keysums *sorted)
{
	char *to = start(out, PG_BINARY_NUMERIC, sorted->n, NUMERIC_BYTES);
	const char *from = to;

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < sorted->n; i++) {
		size_t len = put_numeric(to + 4, sorted->items[i].sum);

		to = bigendian_put32(to, (uint32_t)len) + len;
	}
	buf_grow(out, (size_t)(to - from));
	return 0;
}

/* Adds the head; makes room for n elements of at most size bytes and
 * returns where they begin. */
static char *
start(struct buf *out, uint32_t type, size_t n, size_t size)
{
	char *to = buf_room(out, HEAD_BYTES + n * (4 + size));

	if (to == NULL)
		return NULL;
	to = bigendian_put32(to, n > 0);
	to = bigendian_put32(to, 0);
	to = bigendian_put32(to, type);
	buf_grow(out, 12);
	if (n == 0)
		return to;
	to = bigendian_put32(to, (uint32_t)n);
	to = bigendian_put32(to, 1);
	buf_grow(out, HEAD_BYTES - 12);
	return to;
}

/*
 * int16 number of digits, weight of the first, sign (0), decimals (0), then
 * the digits in base 10000, the most significant first (numeric_recv).
 */
static size_t
put_numeric(char *to, u128 sum)
{
	uint16_t digits[NUMERIC_DIGITS], n = 0;

	for (; sum > 0; sum /= NUMERIC_BASE)
		digits[n++] = (uint16_t)(sum % NUMERIC_BASE);
	to = bigendian_put16(to, n);
	to = bigendian_put16(to, (uint16_t)(n - 1));
	to = bigendian_put32(to, 0);
	for (unsigned i = n; i > 0; i--)
		to = bigendian_put16(to, digits[i - 1]);
	return 8 + (size_t)2 * n;
}
