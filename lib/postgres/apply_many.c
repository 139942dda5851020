/* Counts the batches of several consumers in one statement. */
#include "postgres/apply_many.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bigendian.h"
#include "base/buf.h"
#include "postgres/pg_binary.h"
#include "postgres/statement_call.h"

/*
 * $1 consumers, $2 queue, $3 first, $4 last, $5 lines, $6 how many keys stand
 * before those of each consumer, $7 keys, $8 sums, $9 database.  A row that was
 * not skipped is locked in its newest version; the update looks at that one
 * again.
 */
#define APPLY(sums_type) \
	"with given as (" \
	"select * from unnest($1::uuid[], $3::int8[], $4::int8[], " \
	"$5::int8[]) with ordinality as g (consumer, first, last, lines, nr)" \
	"), locked as (" \
	"select l.consumer from " STATEMENT_LEDGER " as l " \
	"join given as g on l.consumer = g.consumer " \
	"where l.queue = $2 and g.first > 1 and l.seq = g.first - 1 " \
	"and " STATEMENT_RIGHT( \
	    "$9") " order by l.consumer for update of l skip locked" \
		  "), moved as (" \
		  "update " STATEMENT_LEDGER " as l set seq = g.last, " \
		  "committed_at = now(), lines = l.lines + g.lines " \
		  "from given as g, locked as k where k.consumer = " \
		  "g.consumer " \
		  "and l.consumer = g.consumer and l.queue = $2 " \
		  "and l.seq = g.first - 1 returning g.nr" \
		  "), made as (" \
		  "insert into " STATEMENT_LEDGER \
		  " (consumer, queue, seq, lines) " \
		  "select g.consumer, $2, g.last, g.lines from given as g " \
		  "where g.first = 1 and " STATEMENT_RIGHT( \
		      "$9") " order by g.consumer on conflict do nothing " \
			    "returning consumer" \
			    "), done as (" \
			    "select nr from moved union all select g.nr from " \
			    "made as m " \
			    "join given as g on g.consumer = m.consumer" \
			    "), sums as (" \
			    "select u.key, sum(u.value) as value " \
			    "from unnest($7::uuid[], $8::" sums_type "[]) " \
			    "with ordinality as u (key, value, at) " \
			    "where width_bucket(u.at - 1, $6::int8[]) in " \
			    "(select nr from done) " \
			    "group by u.key" \
			    "), counted as (" \
			    "insert into " STATEMENT_INCREMENTS \
			    " as i (key, value) " \
			    "select key, value from sums order by key " \
			    "on conflict (key) do update " \
			    "set value = i.value + excluded.value, " \
			    "updated_at = excluded.updated_at " \
			    "returning 1) " \
			    "select case when not " STATEMENT_RIGHT( \
				"$9") " then -1 " \
				      "when c.n = s.n then d.bits " \
				      "else (c.n || ' of ' || s.n || ' " \
				      "keys')::int8 end " \
				      "from (select count(*) as n from " \
				      "counted) as c, " \
				      "(select count(*) as n from sums) as " \
				      "s, " \
				      "(select coalesce(bit_or(1::int8 << " \
				      "(nr - 1)::int4), 0) as bits " \
				      "from done) as d"

/* A bit for each consumer whose row moved, [do the sums fit int8?] */
static const char *const apply[2] = {APPLY("numeric"), APPLY("int8")};

/* -1: elsewhere, -2: locked. */
static const char read_rows[] =
    "with given as (select * from unnest($1::uuid[]) "
    "with ordinality as g (consumer, nr)"
    "), locked as (select consumer from " STATEMENT_LEDGER
    " where consumer = any ($1) and queue = $2 and " STATEMENT_RIGHT(
	"$3") " order by consumer for update skip locked"
	      "), seen as (update " STATEMENT_LEDGER
	      " as l set committed_at = now() "
	      "from locked as k where l.consumer = k.consumer "
	      "returning l.consumer, l.seq) "
	      "select case when not " STATEMENT_RIGHT(
		  "$3") " then -1 "
			"when s.seq is not null then s.seq "
			"when exists (select from " STATEMENT_LEDGER " as l "
			"where l.consumer = g.consumer and l.queue = $2) then "
			"-2 else 0 end "
			"from given as g left join seen as s on s.consumer = "
			"g.consumer "
			"order by g.nr";

static int add_heads(struct buf out[5], const struct apply_many *of, size_t n);
static int join_sums(struct keysums *to, const struct apply_many *of, size_t n);
static int add_numbers(struct buf *out, const uint64_t *numbers, size_t n);
static void put_array(
    struct postgres_params *p, unsigned type, const struct buf *array);

int
apply_many(struct postgres *pg, const char *queue, const struct apply_many *of,
    size_t n, const struct id *database)
{
	/* Consumers, first, last, lines, keys before; keys, sums. */
	struct buf heads[5] = {0}, keys = {0}, sums = {0};
	struct postgres_params p = {0};
	struct keysums all = {0};
	bool small = true;
	int result = -1;

	if (add_heads(heads, of, n) == 0 && join_sums(&all, of, n) == 0)
		result = pg_binary_add_ids(
		    &keys, &all.items->key, sizeof *all.items, all.n);
	if (result == 0) {
		small = pg_binary_fit_int8(&all);
		result = (small ? pg_binary_add_int8 : pg_binary_add_numeric)(
		    &sums, &all);
	}
	if (result == 0) {
		put_array(&p, PG_BINARY_UUID_ARRAY, &heads[0]);
		statement_put(&p, PG_BINARY_TEXT, queue, strlen(queue));
		for (size_t i = 1; i < 5; i++)
			put_array(&p, PG_BINARY_INT8_ARRAY, &heads[i]);
		put_array(&p, PG_BINARY_UUID_ARRAY, &keys);
		put_array(&p,
		    small ? PG_BINARY_INT8_ARRAY : PG_BINARY_NUMERIC_ARRAY,
		    &sums);
		statement_put(&p, PG_BINARY_UUID,
		    database == NULL ? NULL : database->bytes, ID_BYTES);
		p.shape = (struct pg_shape){.least = 1,
		    .most = 1,
		    .len = 8,
		    .numbers = true,
		    .lowest = -1,
		    .highest = ((int64_t)1 << n) - 1};
		result = statement_call(pg, "apply", apply[small], &p);
	}
	for (size_t i = 0; i < 5; i++)
		buf_free(&heads[i]);
	buf_free(&keys);
	buf_free(&sums);
	free(all.items);
	return result;
}

static int
add_heads(struct buf out[5], const struct apply_many *of, size_t n)
{
	struct id consumers[APPLY_MANY_MAX];
	uint64_t numbers[4][APPLY_MANY_MAX], before = 0;

	for (size_t i = 0; i < n; i++) {
		consumers[i] = *of[i].consumer;
		numbers[0][i] = of[i].batches.first;
		numbers[1][i] = of[i].batches.last;
		numbers[2][i] = of[i].batches.lines;
		numbers[3][i] = before;
		before += of[i].sorted->n;
	}
	if (pg_binary_add_ids(&out[0], consumers, sizeof *consumers, n) < 0)
		return -1;
	for (size_t i = 0; i < 4; i++)
		if (add_numbers(&out[1 + i], numbers[i], n) < 0)
			return -1;
	return 0;
}

static int
add_numbers(struct buf *out, const uint64_t *numbers, size_t n)
{
	struct keysums_item items[APPLY_MANY_MAX];

	for (size_t i = 0; i < n; i++)
		items[i].sum = numbers[i];
	return pg_binary_add_int8(
	    out, &(struct keysums){.items = items, .n = n});
}

/* The sums of all, one after the other. */
static int
join_sums(struct keysums *to, const struct apply_many *of, size_t n)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += of[i].sorted->n;
	to->items = calloc(all + 1, sizeof *to->items);
	if (to->items == NULL) {
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (of[i].sorted->n > 0)
			memcpy(to->items + to->n, of[i].sorted->items,
			    of[i].sorted->n * sizeof *to->items);
		to->n += of[i].sorted->n;
	}
	return 0;
}

static void
put_array(struct postgres_params *p, unsigned type, const struct buf *array)
{
	statement_put(p, type, buf_ptr(array), array->len);
}

bool
apply_many_moved(const struct postgres *pg, size_t i)
{
	const char *bits = postgres_value(pg, 0, 8);

	return bits != NULL && (bigendian_get64(bits) >> i & 1) != 0;
}

int
apply_many_read(struct postgres *pg, const char *queue,
    const struct id *const *consumers, size_t n, const struct id *database)
{
	struct id ids[APPLY_MANY_MAX];
	struct postgres_params p = {0};
	struct buf array = {0};
	int result;

	for (size_t i = 0; i < n; i++)
		ids[i] = *consumers[i];
	result = pg_binary_add_ids(&array, ids, sizeof *ids, n);
	if (result == 0) {
		put_array(&p, PG_BINARY_UUID_ARRAY, &array);
		statement_put(&p, PG_BINARY_TEXT, queue, strlen(queue));
		statement_put(&p, PG_BINARY_UUID,
		    database == NULL ? NULL : database->bytes, ID_BYTES);
		p.shape = (struct pg_shape){.least = n,
		    .most = n,
		    .len = 8,
		    .numbers = true,
		    .lowest = -2,
		    .highest = STATEMENTS_NUMBER_MAX};
		result = statement_call(pg, "read ledger", read_rows, &p);
	}
	buf_free(&array);
	return result;
}

int
apply_many_row(const struct postgres *pg, size_t i, uint64_t *ret_row)
{
	const char *row = postgres_value(pg, i, 8);
	uint64_t number = row == NULL ? 0 : bigendian_get64(row);

	if (number == UINT64_MAX - 1) /* -2 */
		return -1;
	*ret_row = number;
	return 0;
}
