/*
 * What a server answers to a statement: how large it may be, and whether its
 * rows are those that were asked for.  Postgres may be another program, or lie.
 */
#ifndef INCR_PG_ANSWER_H
#define INCR_PG_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_result; /* libpq's PGresult */

/*
 * The rows that answer a statement: one column, in binary.  All zero: none.
 */
struct pg_shape {
	size_t least, most;      /* rows */
	size_t len;              /* bytes of each */
	size_t text;             /* the first row: a text of as many at most */
	bool numbers;            /* each ends with an int8, */
	int64_t lowest, highest; /* in this range */
};

struct pg_answer {
	struct pg_shape shape;
	struct pg_result *rows;    /* NULL: none (yet) */
	struct pg_result *greeted; /* the answer to the greeting */
	size_t bytes;              /* that were read of it */
	size_t unread;             /* that were there at the last look */
	size_t sent;               /* bytes of parameters of the statement */
};

/* A statement with parameters of so many bytes, whose rows have this shape
 * (NULL: any), is sent. */
void pg_answer_begin(
    struct pg_answer *a, const struct pg_shape *shape, size_t sent);
void pg_answer_free(struct pg_answer *a);

/* Before libpq reads from fd: would the answer be larger than any can be?
 * libpq keeps all of it in memory. */
bool pg_answer_overruns(struct pg_answer *a, int fd);

/* Takes rows, if they are the first of the answer. */
void pg_answer_take(struct pg_answer *a, struct pg_result *rows);

/* Are the rows such as were asked for? */
bool pg_answer_fits(const struct pg_answer *a);

/* The rows are the answer to a greeting of n expressions: one row, with a text
 * before them.  Only the last expression may be null.  False if not. */
bool pg_answer_greet(struct pg_answer *a, int n);
/* The text in front of them (i 0), or expression i - 1; NULL if it is null. */
const char *pg_answer_greeted(const struct pg_answer *a, int i);

size_t pg_answer_count(const struct pg_answer *a);
/* The value of row i; NULL if there is no such row. */
const char *pg_answer_value(
    const struct pg_answer *a, size_t i, size_t *ret_len);

#endif
