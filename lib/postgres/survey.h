/*
 * What a database is like for the statements of statements.h: settings, rights,
 * tables.  Read by one statement, which changes nothing and which any role may
 * run.
 */
#ifndef INCR_SURVEY_H
#define INCR_SURVEY_H

#include <stddef.h>

#include "postgres/postgres.h"

enum { SURVEY_WORDS = 5, SURVEY_BYTES = 1 << 16 };

/* Begins the statement, as statements.h says. */
int survey_call(struct postgres *pg);

/*
 * Result: facts, a line each, words separated by TAB:
 *
 *	version TEXT
 *	setting NAME VALUE
 *	standbys NUMBER
 *	connections NUMBER MOST
 *	wire tls|plain|local
 *	table TABLE r|p... p|u|t	relkind, relpersistence of pg_class
 *	hole TABLE
 *	grant TABLE PRIVILEGE yes|no
 *	column TABLE NAME TYPE null|free|must
 *	unique TABLE
 *	trigger|policy TABLE NAME
 *
 * A column that must be given is not null and has no default; a table is unique
 * by its key alone.  A hole: keys that no partition by hash takes.
 *
 * Borrowed until the next call; not a text with a NUL.
 */
const char *survey_facts(const struct postgres *pg, size_t *ret_len);

/* Takes the next line off facts; missing words are "".  False at the end, or if
 * one does not fit. */
enum { SURVEY_WORD_MAX = 128 };
struct survey_fact {
	char word[SURVEY_WORDS][SURVEY_WORD_MAX];
};
bool survey_next(const char **facts, size_t *len, struct survey_fact *ret_fact);

#endif
