/*
 * Postgres's binary arrays, byte by byte, and numeric at the edges: where
 * int64 ends, and where another digit of base 10000 begins.
 */
#include "check.h"
#include "postgres/pg_binary.h"

enum { ITEMS_MAX = 4 };

static struct keysums_item items[ITEMS_MAX];
static struct buf out;

/* The table of n sums, in keys 1, 2, ... */
static struct keysums
table(const u128 *sums, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		items[i].key = (struct id){.bytes = {[15] = (uint8_t)(i + 1)}};
		items[i].sum = sums[i];
	}
	return (struct keysums){
	    .items = items, .cap = ITEMS_MAX, .n = n, .sorted = true};
}

static void
check_bytes(const char *want, size_t len, const char *name)
{
	check(out.len == len, "%s: %zu bytes, not %zu", name, out.len, len);
	check(out.len == len && memcmp(buf_ptr(&out), want, len) == 0, "%s",
	    name);
	buf_clear(&out);
}
#define EXPECT(bytes, name) check_bytes(bytes, sizeof bytes - 1, name)

static void
ids(void)
{
	static const u128 one[] = {1, 1};
	struct keysums s = table(one, 2);
	struct id two[2] = {
	    {{0xff}}, {{[15] = 7}}}; /* beside each other, not in a table */

	check(pg_binary_add_ids(&out, &s.items->key, sizeof *s.items, 2) == 0,
	    "memory");
	EXPECT("\0\0\0\1\0\0\0\0\0\0\x0b\x86\0\0\0\2\0\0\0\1"
	       "\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
	       "\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2",
	    "with a stride");
	check(pg_binary_add_ids(&out, two, sizeof *two, 2) == 0, "memory");
	EXPECT("\0\0\0\1\0\0\0\0\0\0\x0b\x86\0\0\0\2\0\0\0\1"
	       "\0\0\0\x10\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	       "\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7",
	    "without");
	check(pg_binary_add_ids(&out, two, sizeof *two, 0) == 0, "memory");
	EXPECT("\0\0\0\0\0\0\0\0\0\0\x0b\x86", "no element");
}

static void
int8s(void)
{
	static const u128 sums[] = {1, INT64_MAX};
	struct keysums s = table(sums, 2);

	check(pg_binary_fit_int8(&s), "int64 max fits");
	check(pg_binary_add_int8(&out, &s) == 0, "memory");
	EXPECT("\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\2\0\0\0\1"
	       "\0\0\0\x08\0\0\0\0\0\0\0\1"
	       "\0\0\0\x08\x7f\xff\xff\xff\xff\xff\xff\xff",
	    "int8");
	s.n = 0;
	check(pg_binary_fit_int8(&s), "nothing fits");
	check(pg_binary_add_int8(&out, &s) == 0, "memory");
	EXPECT("\0\0\0\0\0\0\0\0\0\0\0\x14", "no element");
	s.n = 2;
	items[0].sum = (u128)INT64_MAX + 1;
	check(!pg_binary_fit_int8(&s), "one more does not");
	items[0].sum = 1;
	items[1].sum = (u128)UINT64_MAX + 2; /* its low half fits */
	check(!pg_binary_fit_int8(&s), "neither does 65 bits");
}

static u128
power10(int exponent)
{
	u128 p = 1;

	while (exponent-- > 0)
		p *= 10;
	return p;
}

/* The number that numeric_recv would read; 0 if it would refuse it. */
static u128
read_numeric(const unsigned char *p, size_t len)
{
	unsigned n = p[0] * 256u + p[1], weight = p[2] * 256u + p[3];
	u128 sum = 0;

	if (len != 8 + 2 * n || n == 0 || weight != n - 1 ||
	    memcmp(p + 4, "\0\0\0\0", 4) != 0 || p[8] + p[9] == 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned digit = p[8 + 2 * i] * 256u + p[9 + 2 * i];

		if (digit > 9999)
			return 0;
		sum = sum * 10000 + digit;
	}
	return sum;
}

static void
numeric_edges(void)
{
	const u128 sums[] = {1, 9999, 10000, 10001, 99999999, 100000000,
	    INT64_MAX, (u128)INT64_MAX + 1, UINT64_MAX, (u128)UINT64_MAX + 1,
	    power10(19), power10(19) + 1, power10(36) - 1, power10(36),
	    power10(38), ~(u128)0};

	for (size_t i = 0; i < check_n(sums); i++) {
		struct keysums s = table(&sums[i], 1);
		const unsigned char *p;
		size_t len;

		check(pg_binary_add_numeric(&out, &s) == 0, "memory");
		p = (const void *)buf_ptr(&out);
		len = p[23];
		check(out.len == 24 + len, "%zu: %zu", i, out.len);
		check(read_numeric(p + 24, len) == sums[i], "sum %zu", i);
		buf_clear(&out);
	}
}

static void
numerics(void)
{
	const u128 sums[] = {(u128)INT64_MAX + 1, power10(19), power10(38), 7};
	struct keysums s = table(sums, 4);

	check(pg_binary_add_numeric(&out, &s) == 0, "memory");
	/* 922 3372 0368 5477 5808; 1000 and four zeros; 100 and nine. */
	EXPECT("\0\0\0\1\0\0\0\0\0\0\x06\xa4\0\0\0\4\0\0\0\1"
	       "\0\0\0\x12\0\5\0\4\0\0\0\0\x03\x9a\x0d\x2c\x01\x70\x15\x65"
	       "\x16\xb0"
	       "\0\0\0\x12\0\5\0\4\0\0\0\0\x03\xe8\0\0\0\0\0\0\0\0"
	       "\0\0\0\x1c\0\x0a\0\x09\0\0\0\0\0\x64\0\0\0\0\0\0\0\0\0\0\0\0"
	       "\0\0\0\0\0\0"
	       "\0\0\0\x0a\0\1\0\0\0\0\0\0\0\7",
	    "numeric");
}

int
main(void)
{
	ids();
	int8s();
	numerics();
	numeric_edges();
	buf_free(&out);
	return check_end();
}
