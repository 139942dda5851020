/*
 * One statement of our SQL: its tables, its parameters, its beginning.
 */
#ifndef INCR_STATEMENT_CALL_H
#define INCR_STATEMENT_CALL_H

#include <stddef.h>
#include <stdint.h>

#include "postgres/postgres.h"

/* In the text of a statement: a table, by its place in statements_greeting. */
#define STATEMENT_INCREMENTS "@0"
#define STATEMENT_LEDGER "@1"
#define STATEMENT_DATABASE "@2"
enum { STATEMENT_DATABASE_ID = 3 /* in the greeting */ };

/* Is it the database of parameter id?  A pooler may lead to another one
 * without a new connection. */
#define STATEMENT_RIGHT(id) \
	"(" id " is null or exists (select from " STATEMENT_DATABASE \
	" where id = " id "))"

/* Begins a statement in which @0 and the like stand for the tables.  0, or -1
 * if the connection is not idle, or with errno ENOMEM. */
int statement_call(struct postgres *pg, const char *name, const char *statement,
    const struct postgres_params *p);

/* Adds a parameter, null if value is NULL; there are less than
 * POSTGRES_PARAMS_MAX. */
void statement_put(
    struct postgres_params *p, unsigned type, const void *value, size_t len);
/* room is where its bytes stay until the call. */
void statement_put_int8(struct postgres_params *p, uint64_t n, char room[8]);

#endif
