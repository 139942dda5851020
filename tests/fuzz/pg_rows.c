/*
 * Any rows as what Postgres, or whoever answers in its place, sends in reply
 * to the greeting and to a statement: they are refused, or what the result
 * says holds, and every part of it can be read.
 *
 * Input: the statement, how many things it is about, then the results, each as
 * columns, format, and its values: a length (255: null) and bytes.
 */
#include <postgresql/libpq-fe.h>

#include "fuzz.h"
#include "postgres/apply_many.h"
#include "postgres/audit_statement.h"
#include "postgres/statements.h"

enum { COLUMNS_MAX = 8, VALUES_MAX = 600, TEXT = 25 };

static const struct id some = {{1}};

struct input {
	const uint8_t *at;
	size_t left;
};

static unsigned
take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* Values until a column count's worth of rows is full, or the end. */
static void
fill(PGresult *r, struct input *in, int columns, size_t values)
{
	char bytes[256];

	for (size_t i = 0; i < values && in->left > 0; i++) {
		unsigned len = take(in);
		bool null = len == 255;

		if (null)
			len = 0;
		if (len > in->left)
			len = (unsigned)in->left;
		memcpy(bytes, in->at, len);
		in->at += len;
		in->left -= len;
		promise(PQsetvalue(r, (int)(i / (size_t)columns),
			    (int)(i % (size_t)columns), bytes,
			    null ? -1 : (int)len) == 1);
	}
}

static PGresult *
result(struct input *in)
{
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[COLUMNS_MAX];
	unsigned n = take(in) % COLUMNS_MAX, format = take(in);

	promise(r != NULL);
	for (unsigned i = 0; i < n; i++)
		columns[i] = (PGresAttDesc){.name = (char[]){"c"},
		    .format = format % 8 != 0,
		    .typid = TEXT};
	if (n == 0)
		return r;
	promise(PQsetResultAttrs(r, (int)n, columns) == 1);
	fill(r, in, (int)n, format < 128 ? n : VALUES_MAX);
	return r;
}

enum {
	APPLY,
	READ,
	READ_ALL,
	FIND_OLD,
	FORGET,
	SUM,
	AUDIT,
	APPLY_MANY,
	READ_MANY,
	STATEMENTS
};

/* It is sent to nobody; what stays is the shape of its answer. */
static void
begin(struct postgres *pg, unsigned which, size_t n)
{
	static const struct keysums none;
	static const struct statements_batches b = {1, 2, 3};
	static const struct statements_old old = {.n = 1};
	struct apply_many of[APPLY_MANY_MAX];
	struct id ids[APPLY_MANY_MAX];
	const struct id *each[APPLY_MANY_MAX];

	for (size_t i = 0; i < n; i++) {
		each[i] = &some;
		of[i] = (struct apply_many){&some, b, &none};
		ids[i] = some;
	}
	switch (which) {
	case APPLY:
		(void)statements_apply(pg, &some, "q", &b, &some, &none);
		break;
	case READ: (void)statements_read(pg, &some, "q", NULL); break;
	case READ_ALL: (void)statements_read_all(pg, ids, n, &some); break;
	case FIND_OLD: (void)statements_find_old(pg, "q", &some); break;
	case FORGET: (void)statements_forget(pg, &old); break;
	case SUM: (void)statements_sum(pg, "q"); break;
	case AUDIT: (void)audit_statement_call(pg, "q r", NULL); break;
	case APPLY_MANY: (void)apply_many(pg, "q", of, n, NULL); break;
	case READ_MANY: (void)apply_many_read(pg, "q", each, n, NULL); break;
	}
}

static void
read_ledger(const struct postgres *pg,
    int row(const struct postgres *, size_t, struct id *, uint64_t *),
    size_t most)
{
	struct id consumer;
	uint64_t seq;
	size_t i = 0;

	while (row(pg, i, &consumer, &seq) == 0) {
		promise(seq <= (uint64_t)STATEMENTS_NUMBER_MAX);
		i++;
	}
	promise(i <= most);
}

static int
audited_row(const struct postgres *pg, size_t i, struct id *ret_consumer,
    uint64_t *ret_seq)
{
	size_t queue;
	int result = audit_statement_row(pg, i, &queue, ret_consumer, ret_seq);

	promise(result < 0 || queue < AUDIT_STATEMENT_QUEUES);
	return result;
}

static void
read_many(const struct postgres *pg, size_t n)
{
	uint64_t row;

	if (statements_elsewhere(pg))
		return;
	for (size_t i = 0; i < n; i++)
		if (apply_many_row(pg, i, &row) == 0)
			promise(row <= (uint64_t)STATEMENTS_NUMBER_MAX ||
				row == UINT64_MAX);
}

static void
read_result(const struct postgres *pg, unsigned which, size_t n)
{
	struct statements_old old;
	struct audit_statement_sums sums;
	uint64_t queues[2];
	int64_t lines;
	bool rows;

	switch (which) {
	case APPLY:
		promise(!statements_moved(pg) || !statements_elsewhere(pg));
		break;
	case READ:
		promise(statements_elsewhere(pg) ||
			statements_row(pg) <= (uint64_t)STATEMENTS_NUMBER_MAX);
		break;
	case READ_ALL: read_ledger(pg, statements_row_of, n); break;
	case FIND_OLD:
		statements_old_found(pg, &old);
		promise(old.n <= STATEMENTS_OLD_MAX);
		break;
	case FORGET: promise(postgres_rows(pg) == 0); break;
	case SUM:
		if (statements_summed(pg, &rows, &lines) == 0)
			promise(lines >= 0 && lines <= INT64_MAX / 4 + 1);
		break;
	case AUDIT:
		if (audit_statement_sums(pg, &sums, queues, 2) == 0)
			read_ledger(pg, audited_row, SIZE_MAX);
		break;
	case APPLY_MANY:
		for (size_t i = n; i < 64 && !statements_elsewhere(pg); i++)
			promise(!apply_many_moved(pg, i));
		break;
	case READ_MANY: read_many(pg, n); break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	const char *why;
	struct postgres *pg = postgres_open(
	    "host=/dev/null/none", "fuzz", statements_greeting, &why);
	unsigned which = take(&in) % STATEMENTS;
	size_t n = 1 + take(&in) % APPLY_MANY_MAX;
	struct id database;

	promise(pg != NULL);
	if (postgres_pretend(pg, result(&in))) {
		promise(postgres_greeted(pg, 0) != NULL &&
			postgres_greeted(pg, 2) != NULL);
		(void)statements_database(pg, &database);
		begin(pg, which, n);
		if (postgres_pretend(pg, result(&in)))
			read_result(pg, which, n);
	}
	postgres_close(pg);
	return 0;
}
