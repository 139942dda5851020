/* The SQL statements that incr-flush runs. */
#include "postgres/statements.h"

#include <string.h>

#include "base/bigendian.h"
#include "base/buf.h"
#include "base/num.h"
#include "postgres/pg_binary.h"
#include "postgres/statement_call.h"

enum { PLAN_TEXT = 1 << 20 };

#define TABLE(name) \
	"coalesce((select quote_ident(nspname) " \
	"from unnest(current_schemas(false)) with ordinality as s (name, at) " \
	"join pg_namespace n on n.nspname = s.name " \
	"join pg_class c on c.relnamespace = n.oid " \
	"where relname = '" name "' and relpersistence <> 't' " \
	"order by at limit 1), current_schema(), 'public') || '." name "'"

const char statements_greeting[] =
    TABLE("increments") ", " TABLE("incr_ledger") ", " TABLE(
	"incr_database") ", (select id from incr_database)";

#define APPLY(move, sums_type) \
	"with moved as (" move " returning 1), " \
	"counted as (" \
	"insert into " STATEMENT_INCREMENTS " as i (key, value) " \
	"select u.key, u.value " \
	"from unnest($5::uuid[], $6::" sums_type "[]) as u (key, value) " \
	"where exists (select from moved) " \
	"on conflict (key) do update " \
	"set value = i.value + excluded.value, " \
	"updated_at = excluded.updated_at " \
	"returning 1) " \
	"select case when not " STATEMENT_RIGHT( \
	    "$8") " then -1 " \
		  "when m.n = 0 or c.n = cardinality($5) then m.n " \
		  "else (c.n || ' of ' || cardinality($5) || ' keys')::int8 " \
		  "end " \
		  "from (select count(*) as n from moved) as m, " \
		  "(select count(*) as n from counted) as c"

#define FIRST \
	"insert into " STATEMENT_LEDGER " (consumer, queue, seq, lines) " \
	"select $1, $2, $4, $7 where $3 = 1 and " STATEMENT_RIGHT( \
	    "$8") " on conflict do nothing"

#define NEXT \
	"update " STATEMENT_LEDGER " set seq = $4, committed_at = now(), " \
	"lines = lines + $7 " \
	"where consumer = $1 and queue = $2 and seq = $3 - 1 " \
	"and " STATEMENT_RIGHT("$8")

/* [is first 1?][do the sums fit int8?] */
static const char *const apply[2][2] = {
    {APPLY(NEXT, "numeric"), APPLY(NEXT, "int8")},
    {APPLY(FIRST, "numeric"), APPLY(FIRST, "int8")}};

static const char read_row[] =
    "with written as (update " STATEMENT_LEDGER
    " set committed_at = now() where consumer = $1 "
    "and queue = $2 and " STATEMENT_RIGHT(
	"$3") " returning seq) "
	      "select case when not " STATEMENT_RIGHT(
		  "$3") " then -1 "
			"else coalesce((select seq from written), 0) end";

static const char read_rows[] =
    "select uuid_send(c.id) || int8send(coalesce(l.seq, 0)) "
    "from unnest($1::uuid[]) as c (id) "
    "left join " STATEMENT_LEDGER " as l on l.consumer = c.id "
    "where not pg_is_in_recovery() "
    "and exists (select from " STATEMENT_DATABASE " as d where d.id = $2)";

/* The row that has the lines of all deleted rows of a queue: an id of its own,
 * of version 3, which no consumer has. */
#define FOLDED "overlay(md5('incr_ledger ' || queue) placing '3' from 13)::uuid"

static const char find_old[] =
    "select consumer from " STATEMENT_LEDGER
    " where queue = $1 and consumer > $2 "
    "and committed_at < now() - $3 * interval '1 day' "
    "and consumer <> " FOLDED " order by consumer limit $4";

static const char forget_old[] =
    "with gone as (delete from " STATEMENT_LEDGER " where consumer = any ($1) "
    "and committed_at < now() - $2 * interval '1 day' "
    "and consumer <> " FOLDED " returning queue, lines) "
    "insert into " STATEMENT_LEDGER " as l (consumer, queue, seq, lines) "
    "select " FOLDED ", queue, 0, sum(lines)::int8 from gone "
    "group by queue having sum(lines) > 0 "
    "on conflict (consumer) do update set lines = l.lines + excluded.lines, "
    "committed_at = excluded.committed_at";

#define LINES \
	"select count(*) as n, coalesce(sum(lines), 0) as lines " \
	"from " STATEMENT_LEDGER " where queue = $1"

static const char sum_lines[] =
    "select int8send(n) || int8send(lines::int8) from (" LINES ") as l";

/* What the statements are planned with: types of nulls. */
static const struct {
	const char *text;
	unsigned types[POSTGRES_PARAMS_MAX];
} plans[STATEMENTS_PLANS] = {
#define APPLY_TYPES(sums) \
	{ \
		PG_BINARY_UUID, PG_BINARY_TEXT, PG_BINARY_INT8, \
		    PG_BINARY_INT8, PG_BINARY_UUID_ARRAY, sums, \
		    PG_BINARY_INT8, PG_BINARY_UUID \
	}
    {APPLY(FIRST, "int8"), APPLY_TYPES(PG_BINARY_INT8_ARRAY)},
    {APPLY(NEXT, "numeric"), APPLY_TYPES(PG_BINARY_NUMERIC_ARRAY)},
    {read_row, {PG_BINARY_UUID, PG_BINARY_TEXT, PG_BINARY_UUID}},
    {find_old,
	{PG_BINARY_TEXT, PG_BINARY_UUID, PG_BINARY_INT8, PG_BINARY_INT8}},
    {forget_old, {PG_BINARY_UUID_ARRAY, PG_BINARY_INT8}},
};

static uint64_t get_int8(const struct postgres *pg);

/* A row of the ledger, after its consumer or alone. */
static struct pg_shape
rows_of_ledger(size_t least, size_t most, size_t len)
{
	return (struct pg_shape){.least = least,
	    .most = most,
	    .len = len,
	    .numbers = true,
	    .highest = STATEMENTS_NUMBER_MAX};
}

int
statements_apply(struct postgres *pg, const struct id *consumer,
    const char *queue, const struct statements_batches *b,
    const struct id *database, const struct keysums *sorted)
{
	bool small = pg_binary_fit_int8(sorted);
	struct buf keys = {0}, sums = {0};
	struct postgres_params p = {0};
	/* Without items there is no first one, and nothing is read. */
	const struct id *from = sorted->n > 0 ? &sorted->items->key : consumer;
	char first[8], last[8], lines[8];
	int result = -1;

	if (pg_binary_add_ids(&keys, from, sizeof *sorted->items, sorted->n) ==
		0 &&
	    (small ? pg_binary_add_int8 : pg_binary_add_numeric)(
		&sums, sorted) == 0) {
		statement_put(&p, PG_BINARY_UUID, consumer->bytes, ID_BYTES);
		statement_put(&p, PG_BINARY_TEXT, queue, strlen(queue));
		statement_put_int8(&p, b->first, first);
		statement_put_int8(&p, b->last, last);
		statement_put(
		    &p, PG_BINARY_UUID_ARRAY, buf_ptr(&keys), keys.len);
		statement_put(&p,
		    small ? PG_BINARY_INT8_ARRAY : PG_BINARY_NUMERIC_ARRAY,
		    buf_ptr(&sums), sums.len);
		statement_put_int8(&p, b->lines, lines);
		statement_put(&p, PG_BINARY_UUID,
		    database == NULL ? NULL : database->bytes, ID_BYTES);
		p.shape = (struct pg_shape){.least = 1,
		    .most = 1,
		    .len = 8,
		    .numbers = true,
		    .lowest = -1,
		    .highest = 1};
		result = statement_call(
		    pg, "apply", apply[b->first == 1][small], &p);
	}
	buf_free(&keys);
	buf_free(&sums);
	return result;
}

int
statements_plan(struct postgres *pg, size_t i)
{
	struct postgres_params p = {.shape = {.least = 1, .most = 1}};
	struct buf text = {0};
	int result = -1;

	p.shape.text = PLAN_TEXT;
	for (size_t k = 0; plans[i].types[k] != 0; k++)
		statement_put(&p, plans[i].types[k], NULL, 0);
	if (buf_addf(&text, "explain (format json) %s", plans[i].text) == 0)
		result = statement_call(pg, "plan", buf_ptr(&text), &p);
	buf_free(&text);
	return result;
}

int
statements_database(const struct postgres *pg, struct id *ret)
{
	const char *text = postgres_greeted(pg, STATEMENT_DATABASE_ID);

	return text == NULL ? -1 : id_parse(text, strlen(text), ret);
}

bool
statements_moved(const struct postgres *pg)
{
	return get_int8(pg) > 0 && !statements_elsewhere(pg);
}

bool
statements_elsewhere(const struct postgres *pg)
{
	return get_int8(pg) == UINT64_MAX; /* -1 */
}

int
statements_read(struct postgres *pg, const struct id *consumer,
    const char *queue, const struct id *database)
{
	struct postgres_params p = {0};

	statement_put(&p, PG_BINARY_UUID, consumer->bytes, ID_BYTES);
	statement_put(&p, PG_BINARY_TEXT, queue, strlen(queue));
	statement_put(&p, PG_BINARY_UUID,
	    database == NULL ? NULL : database->bytes, ID_BYTES);
	p.shape = rows_of_ledger(1, 1, 8);
	p.shape.lowest = -1;
	return statement_call(pg, "read ledger", read_row, &p);
}

uint64_t
statements_row(const struct postgres *pg)
{
	return get_int8(pg);
}

int
statements_read_all(struct postgres *pg, const struct id *consumers, size_t n,
    const struct id *database)
{
	struct buf ids = {0};
	struct postgres_params p = {0};
	int result = -1;

	if (pg_binary_add_ids(&ids, consumers, sizeof *consumers, n) == 0) {
		statement_put(&p, PG_BINARY_UUID_ARRAY, buf_ptr(&ids), ids.len);
		statement_put(&p, PG_BINARY_UUID, database->bytes, ID_BYTES);
		p.shape = rows_of_ledger(0, n, ID_BYTES + 8);
		result = statement_call(pg, "read ledger rows", read_rows, &p);
	}
	buf_free(&ids);
	return result;
}

int
statements_row_of(const struct postgres *pg, size_t i, struct id *ret_consumer,
    uint64_t *ret_seq)
{
	const char *row = postgres_value(pg, i, ID_BYTES + 8);

	if (row == NULL)
		return -1;
	memcpy(ret_consumer->bytes, row, ID_BYTES);
	*ret_seq = bigendian_get64(row + ID_BYTES);
	return 0;
}

int
statements_find_old(
    struct postgres *pg, const char *queue, const struct id *after)
{
	struct postgres_params p = {0};
	char a[8], b[8];

	statement_put(&p, PG_BINARY_TEXT, queue, strlen(queue));
	statement_put(&p, PG_BINARY_UUID, after->bytes, ID_BYTES);
	statement_put_int8(&p, STATEMENTS_OLD_DAYS, a);
	statement_put_int8(&p, STATEMENTS_OLD_MAX, b);
	p.shape =
	    (struct pg_shape){.most = STATEMENTS_OLD_MAX, .len = ID_BYTES};
	return statement_call(pg, "find old rows", find_old, &p);
}

void
statements_old_found(const struct postgres *pg, struct statements_old *ret_old)
{
	size_t n = num_min_size(postgres_rows(pg), STATEMENTS_OLD_MAX);

	ret_old->n = 0;
	for (size_t i = 0; i < n; i++) {
		const char *value = postgres_value(pg, i, ID_BYTES);

		if (value == NULL)
			return;
		memcpy(ret_old->consumers[ret_old->n++].bytes, value, ID_BYTES);
	}
}

int
statements_forget(struct postgres *pg, const struct statements_old *old)
{
	struct buf ids = {0};
	struct postgres_params p = {0};
	char a[8];
	int result = -1;

	if (pg_binary_add_ids(
		&ids, old->consumers, sizeof *old->consumers, old->n) == 0) {
		statement_put(&p, PG_BINARY_UUID_ARRAY, buf_ptr(&ids), ids.len);
		statement_put_int8(&p, STATEMENTS_OLD_DAYS, a);
		result = statement_call(pg, "delete old rows", forget_old, &p);
	}
	buf_free(&ids);
	return result;
}

/* The first row's number, 0 without a row. */
static uint64_t
get_int8(const struct postgres *pg)
{
	const char *from = postgres_value(pg, 0, 8);

	return from == NULL ? 0 : bigendian_get64(from);
}

int
statements_sum(struct postgres *pg, const char *queue)
{
	struct postgres_params p = {0};

	statement_put(&p, PG_BINARY_TEXT, queue, strlen(queue));
	p.shape = (struct pg_shape){.least = 1, .most = 1, .len = 16};
	return statement_call(pg, "sum lines", sum_lines, &p);
}

int
statements_summed(const struct postgres *pg, bool *ret_rows, int64_t *ret_lines)
{
	const char *row = postgres_value(pg, 0, 16);
	uint64_t lines;

	if (row == NULL)
		return -1;
	lines = bigendian_get64(row + 8);
	if (lines > STATEMENTS_LINES_MAX)
		return -1;
	*ret_rows = bigendian_get64(row) > 0;
	*ret_lines = (int64_t)lines;
	return 0;
}
