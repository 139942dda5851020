/*
 * The half of an audit that is Postgres's: sums, ledger and counts as of one
 * moment.
 */
#ifndef INCR_AUDIT_TABLE_H
#define INCR_AUDIT_TABLE_H

#include "inspect/audit.h"

/* Reads table, keys, lines and ledgers of all databases; of a queue that is not
 * settled, what was the ledger is the earlier one then.  With e (NULL:
 * without), also what is counted of its keys.  AUDIT_DONE, or why not. */
enum audit_state audit_table_read(struct audit *a, struct expectation *e);

#endif
