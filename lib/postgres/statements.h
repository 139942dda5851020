/*
 * Our SQL: sums applied once, the ledger that says what was applied, and the
 * totals for incr-audit.
 *
 * A call (statements_VERB) begins a statement on an idle connection
 * (postgres.h) and borrows its arguments until it returns.  It returns 0, or
 * -1 if the connection is not idle, or with errno ENOMEM.  Every call may be
 * repeated, whatever became of the one before.  Its result may be read from
 * POSTGRES_DONE until the next call.
 */
#ifndef INCR_STATEMENTS_H
#define INCR_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "postgres/keysums.h"
#include "postgres/postgres.h"
#include "record/id.h"

enum {
	STATEMENTS_OLD_MAX = 100, /* ledger rows of one statements_find_old */
	STATEMENTS_OLD_DAYS = 30  /* a ledger row is kept at least that long */
};

/* A ledger row stands at most there: where the queue can't go beyond. */
#define STATEMENTS_NUMBER_MAX ((int64_t)1 << 53)
/* Lines of a ledger: sums and differences of a few such numbers fit an int64.
 */
#define STATEMENTS_LINES_MAX ((uint64_t)1 << 61)

/* What postgres_open needs as greeting: the names of the tables in the first
 * schema of the search_path that has them, but for temporary ones, and the id
 * of the database. */
extern const char statements_greeting[];

/* Has the server plan statement i of those that write, with nulls, and not
 * execute it: an error is one that the statement would meet, too. */
enum { STATEMENTS_PLANS = 5 };
int statements_plan(struct postgres *pg, size_t i);

/* The id of the database that the connection (idle) leads to.  0, or -1 if
 * the table incr_database has no row. */
int statements_database(const struct postgres *pg, struct id *ret);

/* Batches of a consumer. */
struct statements_batches {
	uint64_t first, last, lines;
};

/*
 * Moves consumer's ledger row to last if it stands at exactly first - 1, where
 * first may be lower than that of the batches counted if those below are lost
 * (first = 1: inserts it if there is none), and, in the same statement, adds
 * all sums only if the row moved.  It fails as a whole if fewer rows are
 * inserted or updated than there are keys: a trigger can keep rows out.
 * lines are added to the row's.  It does nothing in another database than
 * `database` (NULL: any).
 */
int statements_apply(struct postgres *pg, const struct id *consumer,
    const char *queue, const struct statements_batches *b,
    const struct id *database, const struct keysums *sorted);
/* Result: did the row move, so that the sums are in the table now? */
bool statements_moved(const struct postgres *pg);
/* Result, also of statements_read: was it another database, so that nothing
 * was done? */
bool statements_elsewhere(const struct postgres *pg);

/*
 * Reads consumer's ledger row of queue by a write to it, which is committed
 * after whatever moved the row: so a synchronous standby has that, too.  A row
 * that is only read may be one that no server but this one has.  In another
 * database than `database` (NULL: any) it does nothing: statements_elsewhere.
 */
int statements_read(struct postgres *pg, const struct id *consumer,
    const char *queue, const struct id *database);
/* Result: the last batch that is in the table, 0 if there is no row. */
uint64_t statements_row(const struct postgres *pg);

/* Reads the ledger rows of consumers, n to STATEMENTS_ROWS_MAX, as they are,
 * and only on a primary that is the database. */
enum { STATEMENTS_ROWS_MAX = 500 };
int statements_read_all(struct postgres *pg, const struct id *consumers,
    size_t n, const struct id *database);
/* Result: consumer i (from 0) and where its row stands, 0 without one.  0, or
 * -1 if there is no such row. */
int statements_row_of(const struct postgres *pg, size_t i,
    struct id *ret_consumer, uint64_t *ret_seq);

struct statements_old {
	struct id consumers[STATEMENTS_OLD_MAX];
	size_t n;
};

/* Finds consumers of queue, in order and behind `after`, whose rows have not
 * moved for STATEMENTS_OLD_DAYS. */
int statements_find_old(
    struct postgres *pg, const char *queue, const struct id *after);
/* Result: if there are STATEMENTS_OLD_MAX, there may be more. */
void statements_old_found(
    const struct postgres *pg, struct statements_old *ret_old);

/* Deletes those rows of old that have not moved for that long; their lines are
 * added to a row of the queue that stands at batch 0. */
int statements_forget(struct postgres *pg, const struct statements_old *old);

/* Sums up the lines of queue in the ledger. */
int statements_sum(struct postgres *pg, const char *queue);
/* Result: whether it has rows of the queue, and their lines.  0, or -1. */
int statements_summed(
    const struct postgres *pg, bool *ret_rows, int64_t *ret_lines);

#endif
