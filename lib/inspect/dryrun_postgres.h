/*
 * The dry run of whoever counts in a database: connects as incr-flush does,
 * reads, has the statements planned, and changes nothing.
 */
#ifndef INCR_DRYRUN_POSTGRES_H
#define INCR_DRYRUN_POSTGRES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/findings.h"
#include "record/id.h"

struct dryrun_postgres {
	const char *url, *queue;
	struct id counted; /* database that counts the queue; nil: none known */
	bool keeps;        /* with --keep */
	int64_t wait_ms;   /* in all */
};

/* Adds what is found. */
void dryrun_postgres(struct findings *f, const struct dryrun_postgres *d);

#endif
